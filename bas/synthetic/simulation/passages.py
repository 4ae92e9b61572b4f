"""Open play from one contact with the ball to the next: passes, dribbles, tackles, blocks and saves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bas.synthetic.simulation import placing
from bas.synthetic.simulation.actions import LOFTED, Move
from bas.synthetic.simulation.people import ATTACK, KEEPERS, Pose, outfield, team_of
from bas.synthetic.simulation.pitch import HALF_LENGTH
from bas.synthetic.simulation.schedule import FPS, ScheduledMove
from bas.synthetic.simulation.stage import Contact, HalfState
from bas.synthetic.simulation.trajectory import BALL_RADIUS, Path, Point, carry, fly, hermite, roll

HEAD_HEIGHT = 2.25
"""Height of a ball headed in a jump; figures are drawn a fifth larger than life."""
MAX_BALL_SPEED = 30.0
"""Maximum speed of a struck ball, in metres per second."""
_FEINTS_PER_SECOND, _FEINT_FRAMES = 1.2, 9
_TRAP_RATE = 0.5
"""Share of passes that are trapped with an outstretched leg, which looks like a kick."""
_BLOCKED_BALL_SPEED = 20.0
_MAX_RUN_FRAMES = round(3.2 * FPS)
_ACTOR_HAS_BALL = frozenset({Move.DRIVE, Move.TACKLE})
_TURNOVER_RATE = {
    Move.PASS: 0.07, Move.KICK_OFF: 0.0, Move.HIGH_PASS: 0.4, Move.GOAL_KICK: 0.5, Move.HEADER: 0.4,
    Move.CROSS: 0.4, Move.CORNER: 0.45, Move.THROW_IN: 0.15, Move.FREE_KICK: 0.25, Move.BLOCK: 0.5,
}  # fmt: skip
"""Probability that an opponent plays the ball next, by move."""


def play_passage(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> Contact:
    """Play from `current` to the move `following`, in its frame, or later if nobody can be there in time.

    Args:
        state: recorded up to `current.frame`; on return, up to the frame of the new contact.
        current: contact that starts the passage.
        following: next move; the ball is in play before and after it.
        upcoming: moves from `following` on.
    """
    match current.move, following.move:
        case _, Move.BLOCK:
            return _block(state, current, following)
        case _, Move.TACKLE:
            return _tackle(state, current, following, upcoming)
        case Move.SHOT, _:
            return _save(state, current, following)
        case ((Move.DRIVE | Move.TACKLE), _):
            return _dribble(state, current, following, upcoming)
        case _:
            return _pass_ball(state, current, following, upcoming)


def frames_needed(current: Contact, following: ScheduledMove, *, distance: float, speed: float) -> int:
    """Return the frames from `current` to `following`, or those needed for `distance` at `speed` if more."""
    return max(following.frame - current.frame, int(np.ceil(distance / speed * FPS)))


def run_with_ball(
    state: HalfState,
    person: int,
    start: Point,
    end: Float[np.ndarray, "2"],
    *,
    frames: int,
    touch_metres: float,
) -> Path:
    """Script a run of `person` to `end` with the ball at his feet; return the ball's path."""
    offset = end - start[:2]
    length = float(np.linalg.norm(offset))
    heading = offset / length if length > 0.3 else np.array([ATTACK[team_of(person)], 0.0])
    people = state.people
    runner = hermite(
        people.position[person],
        people.velocity[person],
        end - 0.4 * heading,
        frames=frames,
        fps=FPS,
        arrival=heading * min(length * FPS / max(frames, 1), 5.0),
    )
    people.script(person, runner)
    _feint(state, person, frames=frames)
    return carry(start, runner, np.array([*end, BALL_RADIUS]), fps=FPS, touch_metres=touch_metres)


def _feint(state: HalfState, person: int, *, frames: int) -> None:
    """Add occasional swings that miss the ball, so that a swing alone does not give away an action."""
    num_moments = frames - 2 * _FEINT_FRAMES
    if num_moments > 0:
        for moment in state.rng.integers(
            0, num_moments, state.rng.poisson(_FEINTS_PER_SECOND * num_moments / FPS)
        ):
            state.gestures.add(
                Pose.KICK, person, state.frame + _FEINT_FRAMES + int(moment), not_before=state.frame + 4
            )


def _pass_ball(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> Contact:
    """Kick, head or throw the ball to a receiver, who may hold it for a while before he acts."""
    side = _receiving_side(state, current, following, upcoming)
    in_air = current.move in LOFTED or following.move is Move.HEADER
    target = placing.aim(upcoming, current.location, side=side, rng=state.rng)
    reception = placing.find_receiver(
        state.people.position, current.location, target, side=side, sender=current.person,
        seconds=(following.frame - current.frame) / FPS, ball_speed=24.0 if in_air else 18.0,
    )  # fmt: skip
    frames = frames_needed(
        current, following, distance=_run_metres(state, reception), speed=placing.RUN_SPEED
    )
    distance = float(np.linalg.norm(reception.location - current.location))
    flight = _flight_frames(current.move, distance, in_air=in_air)
    flight = min(max(flight, int(_run_metres(state, reception) / placing.RUN_SPEED * FPS)), frames)
    if following.move is Move.HEADER or frames - flight < 5:
        flight = frames  # first-time play: the ball arrives as the next move happens
    height = HEAD_HEIGHT + state.rng.normal(0, 0.1) if following.move is Move.HEADER else BALL_RADIUS
    point = np.array([*reception.location, height])
    _script_meeting(state, reception.person, current.location, reception.location, frames=flight)
    trajectory = fly if in_air or current.move in (Move.THROW_IN, Move.HEADER) else roll
    state.advance(
        trajectory(current.point, point, frames=flight, fps=FPS),
        possession=side,
        pressing_metres=_pressing_metres(upcoming),
    )
    if flight < frames and state.rng.random() < _TRAP_RATE:
        state.gestures.add(Pose.KICK, reception.person, state.frame, not_before=current.frame + 6)
    point = _hold_ball(
        state,
        reception.person,
        point,
        target,
        frames=frames - flight,
        pressing_metres=_pressing_metres(upcoming),
    )
    frame = current.frame + frames
    if following.move is Move.HEADER:
        opponent = placing.nearest_player(state.people.position, point[:2], side=1 - side)
        state.gestures.add(
            Pose.JUMP, opponent, frame + int(state.rng.integers(-2, 3)), not_before=current.frame
        )
    return Contact(frame, following.move, side, reception.person, point)


def _dribble(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> Contact:
    """Carry the ball with touches, and walk once the longest run is over."""
    frames = following.frame - current.frame
    running = min(frames, _MAX_RUN_FRAMES)
    target = placing.aim(upcoming, current.location, side=current.side, rng=state.rng)
    end = _dribble_end(state, current, target, seconds=running / FPS)
    pressing_metres = _pressing_metres(upcoming)
    path = run_with_ball(state, current.person, current.point, end, frames=running, touch_metres=0.9)
    state.advance(path, possession=current.side, pressing_metres=pressing_metres)
    point = np.array([*end, BALL_RADIUS])
    point = _hold_ball(
        state, current.person, point, target, frames=frames - running, pressing_metres=pressing_metres
    )
    return Contact(following.frame, following.move, current.side, current.person, point)


def _tackle(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> Contact:
    """Let an opponent run into the carrier's path and reach the ball at the end of the passage."""
    target = placing.aim(upcoming, current.location, side=current.side, rng=state.rng)
    frames, carrier, start, flight = following.frame - current.frame, current.person, current.point, 0
    if current.move not in _ACTOR_HAS_BALL:
        reception = placing.find_receiver(
            state.people.position, current.location, target, side=current.side, sender=current.person,
            seconds=frames / FPS / 2, ball_speed=18.0,
        )  # fmt: skip
        # Half of the time is for the pass, half for the run that ends in the tackle; a longer pass delays the tackle.
        flight = max(frames // 2, int(_run_metres(state, reception) / placing.RUN_SPEED * FPS))
        frames += flight - frames // 2
        carrier, start = reception.person, np.array([*reception.location, BALL_RADIUS])
        _script_meeting(state, carrier, current.location, reception.location, frames=flight)
        trajectory = fly if current.move is Move.THROW_IN else roll
        state.advance(
            trajectory(current.point, start, frames=flight, fps=FPS),
            possession=current.side,
            pressing_metres=1.6,
        )
    tackler = placing.nearest_player(state.people.position, start[:2], side=1 - current.side)
    offset = target - start[:2]
    length = min(float(np.linalg.norm(offset)), 5.0 * (frames - flight) / FPS)
    end = start[:2] + offset / max(float(np.linalg.norm(offset)), 1e-6) * length
    running = max(
        frames - flight, int(np.linalg.norm(end - state.people.position[tackler]) / placing.RUN_SPEED * FPS)
    )
    path = run_with_ball(state, carrier, start, end, frames=running, touch_metres=0.8)
    _script_meeting(state, tackler, state.people.position[tackler], end, frames=running)
    state.advance(path, possession=current.side, pressing_metres=2.0)
    frame = current.frame + flight + running
    state.gestures.add(Pose.FALL, carrier, frame + 3, not_before=frame - 2)
    return Contact(frame, following.move, 1 - current.side, tackler, np.array([*end, BALL_RADIUS]))


def _block(state: HalfState, current: Contact, following: ScheduledMove) -> Contact:
    """Strike the ball hard at an opponent whose distance it covers in the time given."""
    frames = following.frame - current.frame
    ball_range = _BLOCKED_BALL_SPEED * frames / FPS + 0.5
    side = 1 - current.side
    opponents = outfield(side)
    offsets = state.people.position[opponents] - current.location
    distances = np.maximum(np.linalg.norm(offsets, axis=1), 0.5)
    forward = offsets[:, 0] / distances * ATTACK[current.side]
    # Prefer opponents at the right distance, and, by up to 3 m, those in front of the striker.
    best = int(np.argmin(np.abs(distances - ball_range) - 1.5 * forward))
    length = np.clip(distances[best] - 0.3, min(0.7, distances[best]), ball_range + 0.6)
    location = placing.clamp(current.location + offsets[best] / distances[best] * length, placing.LIMITS)
    point = np.array([*location, state.rng.uniform(0.3, 1.2)])
    reception = placing.Reception(int(opponents[best]), location)
    frames = frames_needed(
        current, following, distance=_run_metres(state, reception) - 0.8, speed=placing.RUN_SPEED
    )
    _script_meeting(state, reception.person, current.location, location, frames=frames)
    state.advance(fly(current.point, point, frames=frames, fps=FPS), possession=current.side)
    return Contact(current.frame + frames, following.move, side, reception.person, point)


def _save(state: HalfState, current: Contact, following: ScheduledMove) -> Contact:
    """Let the goalkeeper catch a shot, carry the ball forward, and put it down for his kick."""
    side = 1 - current.side
    keeper = KEEPERS[side]
    location = np.array([-ATTACK[side] * (HALF_LENGTH - 2.0), np.clip(0.4 * current.point[1], -3.0, 3.0)])
    distance = float(np.linalg.norm(location - current.location))
    flight = max(6, round(distance / 24 * FPS))
    frames = max(following.frame - current.frame, flight + 10)
    caught = np.array([*location, 1.0])
    _script_meeting(state, keeper, current.location, location, frames=flight)
    state.gestures.add(Pose.DIVE, keeper, current.frame + flight, not_before=current.frame)
    state.advance(fly(current.point, caught, frames=flight, fps=FPS), possession=current.side)
    remaining = frames - flight
    end = location + np.array([ATTACK[side] * min(1.6 * remaining / FPS, 6.0), state.rng.normal(0, 1.0)])
    path = run_with_ball(state, keeper, caught, end, frames=remaining, touch_metres=0.1)
    # Lower the ball to the ground over the last frames only.
    path[:, 2] = np.minimum(caught[2], BALL_RADIUS + 0.25 * np.arange(remaining)[::-1])
    state.advance(path, possession=side, pressing_metres=8.0)
    return Contact(current.frame + frames, following.move, side, keeper, np.array([*end, BALL_RADIUS]))


def _hold_ball(
    state: HalfState,
    person: int,
    point: Point,
    target: Float[np.ndarray, "2"],
    *,
    frames: int,
    pressing_metres: float,
) -> Point:
    """Walk with a controlled ball until the next move; return the ball's position then."""
    if frames <= 0:
        return point
    offset = target - point[:2]
    length = min(float(np.linalg.norm(offset)), 1.3 * frames / FPS, 5.0)
    end = point[:2] + offset / max(float(np.linalg.norm(offset)), 1e-6) * length
    path = run_with_ball(state, person, point, end, frames=frames, touch_metres=0.15)
    state.advance(path, possession=team_of(person), pressing_metres=pressing_metres)
    return np.array([*end, BALL_RADIUS])


def _run_metres(state: HalfState, reception: placing.Reception) -> float:
    """Return the distance that the receiver must run, in metres."""
    return float(np.linalg.norm(reception.location - state.people.position[reception.person]))


def _script_meeting(
    state: HalfState,
    person: int,
    origin: Float[np.ndarray, "2"],
    location: Float[np.ndarray, "2"],
    *,
    frames: int,
) -> None:
    """Script a person to arrive behind `location`, as seen from `origin`, together with the ball."""
    offset = location - origin
    behind = 0.35 * offset / max(float(np.linalg.norm(offset)), 0.5)
    people = state.people
    people.script(
        person,
        hermite(people.position[person], people.velocity[person], location + behind, frames=frames, fps=FPS),
    )


def _dribble_end(
    state: HalfState, current: Contact, target: Float[np.ndarray, "2"], *, seconds: float
) -> Float[np.ndarray, "2"]:
    """Return the end of a dribble toward `target`, at a plausible speed."""
    offset = target - current.location
    distance = max(float(np.linalg.norm(offset)), 1e-6)
    longest, shortest = state.rng.uniform(4.5, 6.5) * seconds, min(3.0 * seconds, 8.0)
    return placing.clamp(
        current.location + offset / distance * np.clip(distance, shortest, longest), placing.LIMITS
    )


def _receiving_side(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> int:
    turnover_rate = _TURNOVER_RATE[current.move]
    if following.move is Move.SHOT or (following.move is Move.HEADER and upcoming[1:2] == [Move.GOAL]):
        receiving_side = current.side if current.move is not Move.BLOCK else 1 - current.side
    elif following.move is Move.HEADER and upcoming[1:2] == [Move.OUT_CORNER]:
        receiving_side = 1 - current.side
    else:
        receiving_side = 1 - current.side if state.rng.random() < turnover_rate else current.side
    return (
        1 - receiving_side
        if placing.suits_opponents(upcoming, current.location, side=receiving_side)
        else receiving_side
    )


def _flight_frames(move: Move, distance: float, *, in_air: bool) -> int:
    if in_air:
        seconds = 0.9 + distance / 30
    elif move in (Move.THROW_IN, Move.HEADER, Move.BLOCK):
        seconds = 0.4 + distance / 14
    else:
        seconds = 0.15 + distance / 14
    return max(1, round(seconds * FPS))


def _pressing_metres(upcoming: Sequence[Move]) -> float:
    """Return how near the closest opponent comes: very near before a block."""
    return 1.3 if Move.BLOCK in upcoming[1:2] else 2.6
