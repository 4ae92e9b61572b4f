"""From one contact with the ball to the next in open play: a kick travels, a runner carries, a rival comes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bas.synthetic import placing
from bas.synthetic.actions import Move
from bas.synthetic.people import ATTACK, KEEPERS, outfield, team_of
from bas.synthetic.pitch import HALF_LENGTH
from bas.synthetic.plan import FPS, Planned
from bas.synthetic.poses import Pose
from bas.synthetic.stage import Contact, Stage
from bas.synthetic.trajectory import BALL_RADIUS, Path, Point, carry, fly, hermite, roll

HEAD_HEIGHT = 2.25
"""Of a ball that is headed in a jump; figures are drawn a fifth larger than life."""
LOFTED = frozenset({Move.HIGH_PASS, Move.GOAL_KICK, Move.CROSS, Move.CORNER})
FASTEST_BALL = 30.0
"""Metres a second."""
_FEINTS_PER_SECOND, _FEINT_FRAMES = 1.2, 9
_TRAPS = 0.5
"""Share of balls that are stopped with a leg held out, as if to kick."""
_BLOCKED_SPEED = 20.0
_LONGEST_RUN_FRAMES = round(3.2 * FPS)
_RUN_SPEED = 6.0
"""On average over a run to the ball; its middle is half as fast again."""
_OWN_BALL = frozenset({Move.DRIVE, Move.TACKLE})
_CHANGES_HANDS = {
    Move.PASS: 0.07, Move.KICK_OFF: 0.0, Move.HIGH_PASS: 0.4, Move.GOAL_KICK: 0.5, Move.HEADER: 0.4,
    Move.CROSS: 0.4, Move.CORNER: 0.45, Move.THROW_IN: 0.15, Move.FREE_KICK: 0.25, Move.BLOCK: 0.5,
}  # fmt: skip
"""Share of balls that an opponent plays next."""


def play_on(stage: Stage, now: Contact, then: Planned, ahead: Sequence[Move]) -> Contact:
    """Play from `now` to the move `then`, in its frame, or later where nobody could get there so soon.

    Args:
        stage: written up to `now.frame`, afterwards up to the frame of the contact that is returned.
        now: the contact that starts the passage.
        then: the next move; the ball is in play before and after it.
        ahead: the moves from `then` on.
    """
    match now.move, then.move:
        case _, Move.BLOCK:
            return _into_an_opponent(stage, now, then)
        case _, Move.TACKLE:
            return _robbed(stage, now, then, ahead)
        case Move.SHOT, _:
            return _saved(stage, now, then)
        case ((Move.DRIVE | Move.TACKLE), _):
            return _dribble(stage, now, then, ahead)
        case _:
            return _send(stage, now, then, ahead)


def later(now: Contact, then: Planned, *, distance: float, speed: float) -> int:
    """Frames from `now` to `then`, or as many as `distance` metres take at `speed` metres a second."""
    return max(then.frame - now.frame, int(np.ceil(distance / speed * FPS)))


def run_with_ball(
    stage: Stage, person: int, start: Point, end: Float[np.ndarray, "2"], *, frames: int, reach: float
) -> Path:
    """Script `person` from where he is to `end`, the ball at his feet; afterwards both are there."""
    way = end - start[:2]
    length = float(np.linalg.norm(way))
    heading = way / length if length > 0.3 else np.array([ATTACK[team_of(person)], 0.0])
    people = stage.people
    runner = hermite(
        people.position[person],
        people.velocity[person],
        end - 0.4 * heading,
        frames=frames,
        fps=FPS,
        arrival=heading * min(length * FPS / max(frames, 1), 5.0),
    )
    people.script(person, runner)
    _feint(stage, person, frames=frames)
    return carry(start, runner, np.array([*end, BALL_RADIUS]), fps=FPS, reach=reach)


def _feint(stage: Stage, person: int, *, frames: int) -> None:
    """Now and then swing at the ball and leave it: a swing alone is no action."""
    quiet = frames - 2 * _FEINT_FRAMES
    if quiet > 0:
        for moment in stage.rng.integers(0, quiet, stage.rng.poisson(_FEINTS_PER_SECOND * quiet / FPS)):
            stage.gestures.make(
                Pose.KICK, person, stage.frame + _FEINT_FRAMES + int(moment), since=stage.frame + 4
            )


def _send(stage: Stage, now: Contact, then: Planned, ahead: Sequence[Move]) -> Contact:
    """Kick, head or throw the ball to somebody, who may keep it a while before he acts."""
    side = _receiving_side(stage, now, then, ahead)
    in_air = now.move in LOFTED or then.move is Move.HEADER
    target = placing.aim(ahead, now.ground, side=side, rng=stage.rng)
    got = placing.reception(
        stage.people.position, now.ground, target, side=side, sender=now.person,
        seconds=(then.frame - now.frame) / FPS, ball_speed=24.0 if in_air else 18.0,
    )  # fmt: skip
    frames = later(now, then, distance=_run_to(stage, got), speed=_RUN_SPEED)
    distance = float(np.linalg.norm(got.spot - now.ground))
    flight = _flight_frames(now.move, distance, in_air=in_air)
    flight = min(max(flight, int(_run_to(stage, got) / _RUN_SPEED * FPS)), frames)
    if then.move is Move.HEADER or frames - flight < 5:
        flight = frames
    height = HEAD_HEIGHT + stage.rng.normal(0, 0.1) if then.move is Move.HEADER else BALL_RADIUS
    point = np.array([*got.spot, height])
    _meet(stage, got.person, now.ground, got.spot, frames=flight)
    kick = fly if in_air or now.move in (Move.THROW_IN, Move.HEADER) else roll
    stage.advance(kick(now.point, point, frames=flight, fps=FPS), possession=side, pressing=_pressing(ahead))
    if flight < frames and stage.rng.random() < _TRAPS:
        stage.gestures.make(Pose.KICK, got.person, stage.frame, since=now.frame + 6)
    point = _keep(stage, got.person, point, target, frames=frames - flight, pressing=_pressing(ahead))
    frame = now.frame + frames
    if then.move is Move.HEADER:
        rival = placing.nearest(stage.people.position, point[:2], side=1 - side)
        stage.gestures.make(Pose.JUMP, rival, frame + int(stage.rng.integers(-2, 3)), since=now.frame)
    return Contact(frame, then.move, side, got.person, point)


def _dribble(stage: Stage, now: Contact, then: Planned, ahead: Sequence[Move]) -> Contact:
    """Carry the ball, with touches; at a walk if the next move takes long to come."""
    frames = then.frame - now.frame
    running = min(frames, _LONGEST_RUN_FRAMES)
    target = placing.aim(ahead, now.ground, side=now.side, rng=stage.rng)
    end = _carried_to(stage, now, target, seconds=running / FPS)
    pressing = _pressing(ahead)
    path = run_with_ball(stage, now.person, now.point, end, frames=running, reach=0.9)
    stage.advance(path, possession=now.side, pressing=pressing)
    point = np.array([*end, BALL_RADIUS])
    point = _keep(stage, now.person, point, target, frames=frames - running, pressing=pressing)
    return Contact(then.frame, then.move, now.side, now.person, point)


def _robbed(stage: Stage, now: Contact, then: Planned, ahead: Sequence[Move]) -> Contact:
    """An opponent runs into the carrier's way and is at the ball when the passage ends."""
    target = placing.aim(ahead, now.ground, side=now.side, rng=stage.rng)
    frames, carrier, start, flight = then.frame - now.frame, now.person, now.point, 0
    if now.move not in _OWN_BALL:
        got = placing.reception(
            stage.people.position, now.ground, target, side=now.side, sender=now.person,
            seconds=frames / FPS / 2, ball_speed=18.0,
        )  # fmt: skip
        flight = max(frames // 2, int(_run_to(stage, got) / _RUN_SPEED * FPS))
        frames += flight - frames // 2
        carrier, start = got.person, np.array([*got.spot, BALL_RADIUS])
        _meet(stage, carrier, now.ground, got.spot, frames=flight)
        kick = fly if now.move is Move.THROW_IN else roll
        stage.advance(kick(now.point, start, frames=flight, fps=FPS), possession=now.side, pressing=1.6)
    tackler = placing.nearest(stage.people.position, start[:2], side=1 - now.side)
    way = target - start[:2]
    length = min(float(np.linalg.norm(way)), 5.0 * (frames - flight) / FPS)
    end = start[:2] + way / max(float(np.linalg.norm(way)), 1e-6) * length
    running = max(
        frames - flight, int(np.linalg.norm(end - stage.people.position[tackler]) / _RUN_SPEED * FPS)
    )
    path = run_with_ball(stage, carrier, start, end, frames=running, reach=0.8)
    _meet(stage, tackler, stage.people.position[tackler], end, frames=running)
    stage.advance(path, possession=now.side, pressing=2.0)
    frame = now.frame + flight + running
    stage.gestures.make(Pose.FALL, carrier, frame + 3, since=frame - 2)
    return Contact(frame, then.move, 1 - now.side, tackler, np.array([*end, BALL_RADIUS]))


def _into_an_opponent(stage: Stage, now: Contact, then: Planned) -> Contact:
    """The ball is struck hard at an opponent who stands as far away as it gets."""
    frames = then.frame - now.frame
    reach = _BLOCKED_SPEED * frames / FPS + 0.5
    side = 1 - now.side
    opponents = outfield(side)
    ways = stage.people.position[opponents] - now.ground
    distances = np.maximum(np.linalg.norm(ways, axis=1), 0.5)
    forward = ways[:, 0] / distances * ATTACK[now.side]
    best = int(np.argmin(np.abs(distances - reach) - 1.5 * forward))
    length = np.clip(distances[best] - 0.3, min(0.7, distances[best]), reach + 0.6)
    spot = placing.within(now.ground + ways[best] / distances[best] * length, placing.LIMITS)
    point = np.array([*spot, stage.rng.uniform(0.3, 1.2)])
    got = placing.Reception(int(opponents[best]), spot)
    frames = later(now, then, distance=_run_to(stage, got) - 0.8, speed=_RUN_SPEED)
    _meet(stage, got.person, now.ground, spot, frames=frames)
    stage.advance(fly(now.point, point, frames=frames, fps=FPS), possession=now.side)
    return Contact(now.frame + frames, then.move, side, got.person, point)


def _saved(stage: Stage, now: Contact, then: Planned) -> Contact:
    """A shot ends in the keeper's arms; he carries it on and puts it down for his kick."""
    side = 1 - now.side
    keeper = KEEPERS[side]
    spot = np.array([-ATTACK[side] * (HALF_LENGTH - 2.0), np.clip(0.4 * now.point[1], -3.0, 3.0)])
    distance = float(np.linalg.norm(spot - now.ground))
    flight = max(6, round(distance / 24 * FPS))
    frames = max(then.frame - now.frame, flight + 10)
    caught = np.array([*spot, 1.0])
    _meet(stage, keeper, now.ground, spot, frames=flight)
    stage.gestures.make(Pose.DIVE, keeper, now.frame + flight, since=now.frame)
    stage.advance(fly(now.point, caught, frames=flight, fps=FPS), possession=now.side)
    rest = frames - flight
    end = spot + np.array([ATTACK[side] * min(1.6 * rest / FPS, 6.0), stage.rng.normal(0, 1.0)])
    path = run_with_ball(stage, keeper, caught, end, frames=rest, reach=0.1)
    path[:, 2] = np.minimum(caught[2], BALL_RADIUS + 0.25 * np.arange(rest)[::-1])
    stage.advance(path, possession=side, pressing=8.0)
    return Contact(now.frame + frames, then.move, side, keeper, np.array([*end, BALL_RADIUS]))


def _keep(
    stage: Stage, person: int, point: Point, target: Float[np.ndarray, "2"], *, frames: int, pressing: float
) -> Point:
    """Keep a controlled ball at a walk until the next move; returns where the ball is then."""
    if frames <= 0:
        return point
    way = target - point[:2]
    length = min(float(np.linalg.norm(way)), 1.3 * frames / FPS, 5.0)
    end = point[:2] + way / max(float(np.linalg.norm(way)), 1e-6) * length
    path = run_with_ball(stage, person, point, end, frames=frames, reach=0.15)
    stage.advance(path, possession=team_of(person), pressing=pressing)
    return np.array([*end, BALL_RADIUS])


def _run_to(stage: Stage, got: placing.Reception) -> float:
    """Metres that somebody has to run to a reception."""
    return float(np.linalg.norm(got.spot - stage.people.position[got.person]))


def _meet(
    stage: Stage, person: int, origin: Float[np.ndarray, "2"], spot: Float[np.ndarray, "2"], *, frames: int
) -> None:
    """Script a person to stand behind `spot`, seen from `origin`, when the ball is there."""
    way = spot - origin
    behind = 0.35 * way / max(float(np.linalg.norm(way)), 0.5)
    people = stage.people
    people.script(
        person,
        hermite(people.position[person], people.velocity[person], spot + behind, frames=frames, fps=FPS),
    )


def _carried_to(
    stage: Stage, now: Contact, target: Float[np.ndarray, "2"], *, seconds: float
) -> Float[np.ndarray, "2"]:
    """End of a run with the ball toward a target, neither slower nor faster than players run."""
    way = target - now.ground
    distance = max(float(np.linalg.norm(way)), 1e-6)
    longest, shortest = stage.rng.uniform(4.5, 6.5) * seconds, min(3.0 * seconds, 8.0)
    return placing.within(now.ground + way / distance * np.clip(distance, shortest, longest), placing.LIMITS)


def _receiving_side(stage: Stage, now: Contact, then: Planned, ahead: Sequence[Move]) -> int:
    share = _CHANGES_HANDS[now.move]
    if then.move is Move.SHOT or (then.move is Move.HEADER and ahead[1:2] == [Move.GOAL]):
        wanted = now.side if now.move is not Move.BLOCK else 1 - now.side
    elif then.move is Move.HEADER and ahead[1:2] == [Move.OUT_CORNER]:
        wanted = 1 - now.side
    else:
        wanted = 1 - now.side if stage.rng.random() < share else now.side
    return 1 - wanted if placing.suits_other_side(ahead, now.ground, side=wanted) else wanted


def _flight_frames(move: Move, distance: float, *, in_air: bool) -> int:
    if in_air:
        seconds = 0.9 + distance / 30
    elif move in (Move.THROW_IN, Move.HEADER, Move.BLOCK):
        seconds = 0.4 + distance / 14
    else:
        seconds = 0.15 + distance / 14
    return max(1, round(seconds * FPS))


def _pressing(ahead: Sequence[Move]) -> float:
    """How near the first opponent comes: very near before he blocks."""
    return 1.3 if Move.BLOCK in ahead[1:2] else 2.6
