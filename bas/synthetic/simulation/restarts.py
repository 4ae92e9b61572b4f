"""Stoppages and restarts: the ball leaves play, the broadcast cuts, and play restarts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bas.synthetic.simulation import placing
from bas.synthetic.simulation.actions import LOFTED, Move
from bas.synthetic.simulation.passages import HEAD_HEIGHT, MAX_BALL_SPEED
from bas.synthetic.simulation.people import ATTACK, KEEPERS, Pose, outfield
from bas.synthetic.simulation.pitch import (
    BOARDS_X,
    BOARDS_Y,
    GOAL_DEPTH,
    GOAL_HALF_WIDTH,
    HALF_LENGTH,
    HALF_WIDTH,
)
from bas.synthetic.simulation.running import frames_needed, run_with_ball
from bas.synthetic.simulation.schedule import FPS, ScheduledMove
from bas.synthetic.simulation.stage import Contact, HalfState
from bas.synthetic.simulation.trajectory import (
    BALL_RADIUS,
    Path,
    Point,
    fly,
    hermite,
    roll,
    roll_to_rest,
    step_toward,
)

_HELD_HEIGHT = HEAD_HEIGHT + 0.3
_RUN_UP_METRES = {Move.FREE_KICK: 4.0, Move.CORNER: 3.0, Move.GOAL_KICK: 3.5, Move.KICK_OFF: 0.5}
"""Length of the taker's run-up, by move."""
_RUN_UP_FRAMES = 24
_DRIVE_OUT_SPEED = 8.0


def play_out(state: HalfState, current: Contact, following: ScheduledMove) -> Contact:
    """Play until the ball crosses a line in the frame of `following`, or later if that would be too fast."""
    if following.move is Move.OUT_CORNER and current.move is Move.SHOT:
        return _parry(state, current, following)
    point = _crossing_point(state, current, following)
    speed = _DRIVE_OUT_SPEED if current.move is Move.DRIVE else MAX_BALL_SPEED
    frames = frames_needed(
        current, following, distance=float(np.linalg.norm(point - current.point)), speed=speed
    )
    if current.move is Move.DRIVE:
        path = run_with_ball(state, current.person, current.point, point[:2], frames=frames, touch_metres=1.2)
    elif current.move in LOFTED or current.move in (Move.SHOT, Move.HEADER, Move.BLOCK, Move.FREE_KICK):
        path = fly(current.point, point, frames=frames)
    else:
        path = roll(current.point, point, frames=frames)
    if following.move in (Move.GOAL, Move.OUT_BEHIND):
        _script_dive(state, 1 - current.side, point, current.frame + frames, not_before=current.frame)
    state.advance(path, possession=current.side)
    return Contact(current.frame + frames, following.move, current.side, current.person, point)


def play_restart(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> Contact:
    """Play the aftermath of a dead ball or a foul, cut, and prepare the restart `following`."""
    frames = following.frame - current.frame
    aftermath = int(np.clip(0.4 * frames, 15, 75))
    _play_aftermath(state, current, frames=aftermath)
    side = 1 - current.side if current.move.leaves_play else current.side
    location = _restart_location(state, current, side, upcoming)
    state.cut_to(location, possession=side)
    return prepare_restart(state, following, side=side, location=location)


def prepare_restart(
    state: HalfState, following: ScheduledMove, *, side: int, location: Float[np.ndarray, "2"]
) -> Contact:
    """Show the dead ball and its taker from the next frame, which starts a scene, to the frame of `following`."""
    frames = following.frame - state.frame
    keeper, nearest_player = KEEPERS[side], placing.nearest_player(state.people.position, location, side=side)
    taker = keeper if following.move is Move.GOAL_KICK else nearest_player
    if following.move is Move.THROW_IN:
        path = _hold_for_throw(state, taker, location, frames=frames)
        state.gestures.hold(Pose.HOLD, taker, state.frame + 1, following.frame)
    else:
        path = np.tile(np.array([*location, BALL_RADIUS]), (frames, 1))
        _script_run_up(state, taker, location, following.move, frames=frames)
    state.advance(path, possession=side, pressing_metres=3.5 if following.move is Move.THROW_IN else 8.0)
    return Contact(following.frame, following.move, side, taker, path[-1])


def _crossing_point(state: HalfState, current: Contact, following: ScheduledMove) -> Point:
    """Choose where the ball crosses the line."""
    rng, attack = state.rng, float(ATTACK[current.side])
    match following.move:
        case Move.GOAL:
            inside = GOAL_HALF_WIDTH - 0.4
            return np.array(
                [attack * (HALF_LENGTH + 0.25), rng.uniform(-inside, inside), rng.uniform(0.2, 2.0)]
            )
        case Move.OUT_BEHIND:
            wide = rng.choice((-1, 1)) * rng.uniform(GOAL_HALF_WIDTH + 0.8, GOAL_HALF_WIDTH + 4.5)
            return np.array([attack * (HALF_LENGTH + 0.15), wide, rng.uniform(BALL_RADIUS, 2.2)])
        case Move.OUT_CORNER:
            wide = np.sign(current.point[1] + 1e-3) * rng.uniform(GOAL_HALF_WIDTH + 1.5, 16.0)
            return np.array([-attack * (HALF_LENGTH + 0.15), wide, BALL_RADIUS])
        case _:
            line = np.sign(current.point[1] + 1e-3) * (HALF_WIDTH + 0.15)
            along = current.point[0] + attack * rng.uniform(-1, 6)
            return np.array([np.clip(along, -50.0, 50.0), line, BALL_RADIUS])


def _parry(state: HalfState, current: Contact, following: ScheduledMove) -> Contact:
    """Let the goalkeeper turn a shot around the post, so that he touches the ball last."""
    side = 1 - current.side
    end = float(-ATTACK[side])
    corner = state.rng.choice((-1.0, 1.0))
    save_point = np.array([end * (HALF_LENGTH - 0.8), corner * 2.6, 0.9])
    frames = frames_needed(
        current,
        following,
        distance=float(np.linalg.norm(save_point - current.point)) / 0.62,
        speed=MAX_BALL_SPEED,
    )
    flight = max(1, round(0.62 * frames))  # the rest is for the deflected ball, from the save to the line
    beyond = np.array([end * (HALF_LENGTH + 0.15), corner * (GOAL_HALF_WIDTH + 2.0), 0.5])
    _script_dive(state, side, save_point, current.frame + flight, not_before=current.frame)
    state.advance(fly(current.point, save_point, frames=flight), possession=current.side)
    state.advance(fly(save_point, beyond, frames=frames - flight), possession=current.side)
    return Contact(current.frame + frames, following.move, side, KEEPERS[side], beyond)


def _script_dive(state: HalfState, side: int, point: Point, frame: int, *, not_before: int) -> None:
    keeper = KEEPERS[side]
    dive_point = np.array([-ATTACK[side] * (HALF_LENGTH - 0.9), np.clip(point[1], -3.2, 3.2) * 0.75])
    frames = max(1, frame - not_before)
    reached = step_toward(state.people.position[keeper], dive_point, longest=7.0 * frames / FPS)
    state.people.script_run(keeper, reached, frames=frames)
    state.gestures.add(Pose.DIVE, keeper, frame, not_before=not_before)


def _play_aftermath(state: HalfState, current: Contact, *, frames: int) -> None:
    """Let the ball roll on into the boards or the net; a goal is celebrated, a fouled player falls."""
    velocity = state.ball_velocity()
    if current.move.leaves_play:
        velocity[2] = 0
        path = roll_to_rest(current.point, velocity, frames=frames, stop_seconds=1.2)
        path = _stop_at_barriers(path, current)
        if current.move is Move.GOAL:
            for teammate in outfield(current.side):
                if teammate == current.person or state.rng.random() < 0.6:
                    state.gestures.add(
                        Pose.CHEER, int(teammate), current.frame + int(state.rng.integers(6, 16))
                    )
    else:
        target = placing.aim([Move.PASS], current.location, side=current.side, rng=state.rng)
        offset = target - current.location
        speed = 4.5 if current.move is Move.DRIVE else 11.0
        kick = np.array([*(offset / max(float(np.linalg.norm(offset)), 1.0) * speed), 0.0])
        path = roll_to_rest(current.point, kick, frames=frames, stop_seconds=0.9)
        fouled = placing.nearest_player(state.people.position, path[-1, :2], side=current.side)
        state.gestures.add(Pose.FALL, fouled, current.frame + 12)
    state.advance(path, possession=current.side)


def _stop_at_barriers(path: Path, current: Contact) -> Path:
    """Bounce the ball off the boards, or stop it in the net after a goal."""
    if current.move is Move.GOAL:
        deepest = HALF_LENGTH + GOAL_DEPTH - 0.35
        path[:, 0] = np.clip(path[:, 0], -deepest, deepest)
        path[:, 1] = np.clip(path[:, 1], -GOAL_HALF_WIDTH + 0.2, GOAL_HALF_WIDTH - 0.2)
        return path
    for axis, wall in ((0, BOARDS_X - 0.3), (1, BOARDS_Y - 0.3)):
        # Reflect what lies beyond the boards, with about a third of the distance kept.
        beyond = np.maximum(np.abs(path[:, axis]) - wall, 0)
        path[:, axis] -= np.sign(path[:, axis]) * beyond * 1.35
    return path


def _restart_location(
    state: HalfState, current: Contact, side: int, upcoming: Sequence[Move]
) -> Float[np.ndarray, "2"]:
    """Choose where play restarts."""
    rng, attack = state.rng, float(ATTACK[side])
    lateral = float(np.sign(current.point[1] + 1e-3))
    match upcoming[0]:
        case Move.GOAL_KICK:
            return np.array([-attack * (HALF_LENGTH - 5.5), lateral * 5.0])
        case Move.CORNER:
            return np.array([attack * (HALF_LENGTH - 0.4), lateral * (HALF_WIDTH - 0.4)])
        case Move.THROW_IN:
            along = current.point[0]
            if len(upcoming) > 1:
                along = placing.aim(upcoming[1:], current.location, side=side, rng=rng)[0] - attack * 4
            return np.array([np.clip(along, -46.0, 46.0), lateral * (HALF_WIDTH + 0.1)])
        case Move.FREE_KICK:
            return placing.aim(upcoming, current.location, side=side, rng=rng)
        case _:
            return np.zeros(2)


def _hold_for_throw(state: HalfState, taker: int, location: Float[np.ndarray, "2"], *, frames: int) -> Path:
    outside = location + np.array([0.0, 0.35 * np.sign(location[1])])
    state.people.script(taker, np.tile(outside, (frames, 1)))
    path = np.tile(np.array([*outside, _HELD_HEIGHT]), (frames, 1))
    path[:, 1] += 0.10 * np.sin(np.arange(frames) / FPS * state.rng.uniform(4, 7))
    path[-1, :2] = outside - (0.0, 0.25 * np.sign(location[1]))
    return path


def _script_run_up(
    state: HalfState, taker: int, location: Float[np.ndarray, "2"], move: Move, *, frames: int
) -> None:
    """Script the taker to wait at a distance and then run up."""
    attack = float(ATTACK[0 if taker < 11 else 1])
    lateral = -np.sign(location[1]) if move is Move.CORNER else state.rng.normal(0, 0.25)
    away = np.array([-attack, -lateral])
    away /= np.linalg.norm(away)
    if move is Move.CORNER:
        away = np.array([attack * 0.3, np.sign(location[1])])
    start = location + away * _RUN_UP_METRES[move]
    waiting = max(frames - _RUN_UP_FRAMES, 0)
    state.people.position[taker] = start
    run = hermite(start, np.zeros(2), location + away * 0.35, frames=frames - waiting, arrival=-away * 4)
    state.people.script(taker, np.r_[np.tile(start, (waiting, 1)), run])
