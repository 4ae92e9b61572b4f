"""The ball leaves play, the broadcast cuts, and the ball lies ready again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bas.synthetic import placing
from bas.synthetic.actions import Move
from bas.synthetic.passages import FASTEST_BALL, HEAD_HEIGHT, LOFTED, later, run_with_ball
from bas.synthetic.people import ATTACK, KEEPERS, outfield
from bas.synthetic.pitch import BOARDS_X, BOARDS_Y, GOAL_DEPTH, GOAL_HALF_WIDTH, HALF_LENGTH, HALF_WIDTH
from bas.synthetic.plan import FPS, Planned
from bas.synthetic.poses import Pose
from bas.synthetic.stage import Contact, Stage
from bas.synthetic.trajectory import BALL_RADIUS, Path, Point, fly, hermite, roll, run_out

_HELD_HEIGHT = HEAD_HEIGHT + 0.3
_RUN_UP = {Move.FREE_KICK: 4.0, Move.CORNER: 3.0, Move.GOAL_KICK: 3.5, Move.KICK_OFF: 0.5}
"""Metres that the kicker comes from."""
_RUN_UP_FRAMES = 24
_DRIVE_OUT_SPEED = 8.0


def leave(stage: Stage, now: Contact, then: Planned) -> Contact:
    """Play until the ball crosses a line: in the frame of `then`, or later where that would be too fast."""
    if then.move is Move.OUT_CORNER and now.move is Move.SHOT:
        return _parried(stage, now, then)
    point = _crossing(stage, now, then)
    speed = _DRIVE_OUT_SPEED if now.move is Move.DRIVE else FASTEST_BALL
    frames = later(now, then, distance=float(np.linalg.norm(point - now.point)), speed=speed)
    if now.move is Move.DRIVE:
        path = run_with_ball(stage, now.person, now.point, point[:2], frames=frames, reach=1.2)
    elif now.move in LOFTED or now.move in (Move.SHOT, Move.HEADER, Move.BLOCK, Move.FREE_KICK):
        path = fly(now.point, point, frames=frames, fps=FPS)
    else:
        path = roll(now.point, point, frames=frames, fps=FPS)
    if then.move in (Move.GOAL, Move.OUT_BEHIND):
        _keeper_dives(stage, 1 - now.side, point, now.frame + frames, since=now.frame)
    stage.advance(path, possession=now.side)
    return Contact(now.frame + frames, then.move, now.side, now.person, point)


def restart(stage: Stage, now: Contact, then: Planned, ahead: Sequence[Move]) -> Contact:
    """What follows a dead ball or a foul, a cut, and the preparation of the restart `then`."""
    frames = then.frame - now.frame
    aftermath = int(np.clip(0.4 * frames, 15, 75))
    _aftermath(stage, now, frames=aftermath)
    side = 1 - now.side if now.move.leaves_play else now.side
    spot = _spot(stage, now, side, ahead)
    stage.cut(spot, possession=side)
    return prepare(stage, then, side=side, spot=spot)


def prepare(stage: Stage, then: Planned, *, side: int, spot: Float[np.ndarray, "2"]) -> Contact:
    """Show the dead ball and its taker up to the frame of `then`; the scene starts at the next frame."""
    frames = then.frame - stage.frame
    keeper, nearest = KEEPERS[side], placing.nearest(stage.people.position, spot, side=side)
    taker = keeper if then.move is Move.GOAL_KICK else nearest
    if then.move is Move.THROW_IN:
        path = _hold_for_throw(stage, taker, spot, frames=frames)
        stage.gestures.keep(Pose.HOLD, taker, stage.frame + 1, then.frame)
    else:
        path = np.tile(np.array([*spot, BALL_RADIUS]), (frames, 1))
        _run_up(stage, taker, spot, then.move, frames=frames)
    stage.advance(path, possession=side, pressing=3.5 if then.move is Move.THROW_IN else 8.0)
    return Contact(then.frame, then.move, side, taker, path[-1])


def _crossing(stage: Stage, now: Contact, then: Planned) -> Point:
    """Where the ball crosses the line."""
    rng, attack = stage.rng, float(ATTACK[now.side])
    match then.move:
        case Move.GOAL:
            inside = GOAL_HALF_WIDTH - 0.4
            return np.array(
                [attack * (HALF_LENGTH + 0.25), rng.uniform(-inside, inside), rng.uniform(0.2, 2.0)]
            )
        case Move.OUT_BEHIND:
            wide = rng.choice((-1, 1)) * rng.uniform(GOAL_HALF_WIDTH + 0.8, GOAL_HALF_WIDTH + 4.5)
            return np.array([attack * (HALF_LENGTH + 0.15), wide, rng.uniform(BALL_RADIUS, 2.2)])
        case Move.OUT_CORNER:
            wide = np.sign(now.point[1] + 1e-3) * rng.uniform(GOAL_HALF_WIDTH + 1.5, 16.0)
            return np.array([-attack * (HALF_LENGTH + 0.15), wide, BALL_RADIUS])
        case _:
            line = np.sign(now.point[1] + 1e-3) * (HALF_WIDTH + 0.15)
            along = now.point[0] + attack * rng.uniform(-1, 6)
            return np.array([np.clip(along, -50.0, 50.0), line, BALL_RADIUS])


def _parried(stage: Stage, now: Contact, then: Planned) -> Contact:
    """The keeper turns a shot around the post: he is the last toucher."""
    side = 1 - now.side
    end = float(-ATTACK[side])
    corner = stage.rng.choice((-1.0, 1.0))
    hand = np.array([end * (HALF_LENGTH - 0.8), corner * 2.6, 0.9])
    frames = later(now, then, distance=float(np.linalg.norm(hand - now.point)) / 0.62, speed=FASTEST_BALL)
    flight = max(1, round(0.62 * frames))
    beyond = np.array([end * (HALF_LENGTH + 0.15), corner * (GOAL_HALF_WIDTH + 2.0), 0.5])
    _keeper_dives(stage, side, hand, now.frame + flight, since=now.frame)
    stage.advance(fly(now.point, hand, frames=flight, fps=FPS), possession=now.side)
    stage.advance(fly(hand, beyond, frames=frames - flight, fps=FPS), possession=now.side)
    return Contact(now.frame + frames, then.move, side, KEEPERS[side], beyond)


def _keeper_dives(stage: Stage, side: int, point: Point, frame: int, *, since: int) -> None:
    keeper = KEEPERS[side]
    people = stage.people
    reach = np.array([-ATTACK[side] * (HALF_LENGTH - 0.9), np.clip(point[1], -3.2, 3.2) * 0.75])
    frames = max(1, frame - since)
    way = reach - people.position[keeper]
    length = max(float(np.linalg.norm(way)), 1e-6)
    reach = people.position[keeper] + way / length * min(length, 7.0 * frames / FPS)
    people.script(
        keeper, hermite(people.position[keeper], people.velocity[keeper], reach, frames=frames, fps=FPS)
    )
    stage.gestures.make(Pose.DIVE, keeper, frame, since=since)


def _aftermath(stage: Stage, now: Contact, *, frames: int) -> None:
    """The ball rolls on, into the boards or the net; a goal is celebrated, a fouled player lies down."""
    velocity = stage.velocity()
    if now.move.leaves_play:
        velocity[2] = 0
        path = run_out(now.point, velocity, frames=frames, fps=FPS, stop_seconds=1.2)
        path = _bounce_back(path, now)
        if now.move is Move.GOAL:
            for mate in outfield(now.side):
                if mate == now.person or stage.rng.random() < 0.6:
                    stage.gestures.make(Pose.CHEER, int(mate), now.frame + int(stage.rng.integers(6, 16)))
    else:
        target = placing.aim([Move.PASS], now.ground, side=now.side, rng=stage.rng)
        way = target - now.ground
        speed = 4.5 if now.move is Move.DRIVE else 11.0
        kick = np.array([*(way / max(float(np.linalg.norm(way)), 1.0) * speed), 0.0])
        path = run_out(now.point, kick, frames=frames, fps=FPS, stop_seconds=0.9)
        fouled = placing.nearest(stage.people.position, path[-1, :2], side=now.side)
        stage.gestures.make(Pose.FALL, fouled, now.frame + 12)
    stage.advance(path, possession=now.side)


def _bounce_back(path: Path, now: Contact) -> Path:
    """Boards throw a ball back, a net swallows it."""
    if now.move is Move.GOAL:
        deepest = HALF_LENGTH + GOAL_DEPTH - 0.35
        path[:, 0] = np.clip(path[:, 0], -deepest, deepest)
        path[:, 1] = np.clip(path[:, 1], -GOAL_HALF_WIDTH + 0.2, GOAL_HALF_WIDTH - 0.2)
        return path
    for axis, wall in ((0, BOARDS_X - 0.3), (1, BOARDS_Y - 0.3)):
        beyond = np.maximum(np.abs(path[:, axis]) - wall, 0)
        path[:, axis] -= np.sign(path[:, axis]) * beyond * 1.35
    return path


def _spot(stage: Stage, now: Contact, side: int, ahead: Sequence[Move]) -> Float[np.ndarray, "2"]:
    """Where play restarts."""
    rng, attack = stage.rng, float(ATTACK[side])
    lateral = float(np.sign(now.point[1] + 1e-3))
    match ahead[0]:
        case Move.GOAL_KICK:
            return np.array([-attack * (HALF_LENGTH - 5.5), lateral * 5.0])
        case Move.CORNER:
            return np.array([attack * (HALF_LENGTH - 0.4), lateral * (HALF_WIDTH - 0.4)])
        case Move.THROW_IN:
            along = now.point[0]
            if len(ahead) > 1:
                along = placing.aim(ahead[1:], now.ground, side=side, rng=rng)[0] - attack * 4
            return np.array([np.clip(along, -46.0, 46.0), lateral * (HALF_WIDTH + 0.1)])
        case Move.FREE_KICK:
            return placing.aim(ahead, now.ground, side=side, rng=rng)
        case _:
            return np.zeros(2)


def _hold_for_throw(stage: Stage, taker: int, spot: Float[np.ndarray, "2"], *, frames: int) -> Path:
    outside = spot + np.array([0.0, 0.35 * np.sign(spot[1])])
    stage.people.script(taker, np.tile(outside, (frames, 1)))
    path = np.tile(np.array([*outside, _HELD_HEIGHT]), (frames, 1))
    path[:, 1] += 0.10 * np.sin(np.arange(frames) / FPS * stage.rng.uniform(4, 7))
    path[-1, :2] = outside - (0.0, 0.25 * np.sign(spot[1]))
    return path


def _run_up(stage: Stage, taker: int, spot: Float[np.ndarray, "2"], move: Move, *, frames: int) -> None:
    """The taker waits at a distance, then comes."""
    attack = float(ATTACK[0 if taker < 11 else 1])
    lateral = -np.sign(spot[1]) if move is Move.CORNER else stage.rng.normal(0, 0.25)
    away = np.array([-attack, -lateral])
    away /= np.linalg.norm(away)
    if move is Move.CORNER:
        away = np.array([attack * 0.3, np.sign(spot[1])])
    start = spot + away * _RUN_UP[move]
    waiting = max(frames - _RUN_UP_FRAMES, 0)
    stage.people.position[taker] = start
    coming = hermite(
        start, np.zeros(2), spot + away * 0.35, frames=frames - waiting, fps=FPS, arrival=-away * 4
    )
    stage.people.script(taker, np.r_[np.tile(start, (waiting, 1)), coming])
