"""Open play from one contact with the ball to the next: passes, dribbles, tackles, blocks and saves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bas.synthetic.simulation import placing
from bas.synthetic.simulation.actions import LOFTED, Move
from bas.synthetic.simulation.people import ATTACK, KEEPERS, Pose, outfield
from bas.synthetic.simulation.pitch import HALF_LENGTH
from bas.synthetic.simulation.running import (
    frames_needed,
    frames_to_run,
    hold_ball,
    meet_ball,
    metres_to_run,
    run_with_ball,
)
from bas.synthetic.simulation.schedule import FPS, ScheduledMove
from bas.synthetic.simulation.stage import Contact, HalfState
from bas.synthetic.simulation.trajectory import BALL_RADIUS, fly, roll, step_toward

HEAD_HEIGHT = 2.25
"""Height of a ball headed in a jump; figures are drawn a fifth larger than life."""
MAX_BALL_SPEED = 30.0
"""Maximum speed of a struck ball, in metres per second."""
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
    person, location = reception.person, reception.location
    run = metres_to_run(state, person, location)
    frames = frames_needed(current, following, distance=run, speed=placing.RUN_SPEED)
    distance = float(np.linalg.norm(location - current.location))
    flight = _flight_frames(current.move, distance, in_air=in_air)
    flight = min(max(flight, frames_to_run(state, person, location)), frames)
    if following.move is Move.HEADER or frames - flight < 5:
        flight = frames  # first-time play: the ball arrives as the next move happens
    height = HEAD_HEIGHT + state.rng.normal(0, 0.1) if following.move is Move.HEADER else BALL_RADIUS
    point = np.array([*location, height])
    meet_ball(state, person, current.location, location, frames=flight)
    trajectory = fly if in_air or current.move in (Move.THROW_IN, Move.HEADER) else roll
    pressing_metres = _pressing_metres(upcoming)
    path = trajectory(current.point, point, frames=flight)
    state.advance(path, possession=side, pressing_metres=pressing_metres)
    if flight < frames and state.rng.random() < _TRAP_RATE:
        state.gestures.add(Pose.KICK, person, state.frame, not_before=current.frame + 6)
    point = hold_ball(state, person, point, target, frames=frames - flight, pressing_metres=pressing_metres)
    frame = current.frame + frames
    if following.move is Move.HEADER:
        opponent = placing.nearest_player(state.people.position, point[:2], side=1 - side)
        moment = frame + int(state.rng.integers(-2, 3))
        state.gestures.add(Pose.JUMP, opponent, moment, not_before=current.frame)
    return Contact(frame, following.move, side, person, point)


def _dribble(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> Contact:
    """Carry the ball with touches, and walk once the longest run is over."""
    frames = following.frame - current.frame
    running = min(frames, _MAX_RUN_FRAMES)
    seconds = running / FPS
    target = placing.aim(upcoming, current.location, side=current.side, rng=state.rng)
    longest, shortest = state.rng.uniform(4.5, 6.5) * seconds, min(3.0 * seconds, 8.0)
    end = step_toward(current.location, target, longest=longest, shortest=shortest)
    end = placing.clamp(end, placing.LIMITS)
    pressing_metres = _pressing_metres(upcoming)
    path = run_with_ball(state, current.person, current.point, end, frames=running, touch_metres=0.9)
    state.advance(path, possession=current.side, pressing_metres=pressing_metres)
    point = hold_ball(
        state,
        current.person,
        np.array([*end, BALL_RADIUS]),
        target,
        frames=frames - running,
        pressing_metres=pressing_metres,
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
        carrier, location = reception.person, reception.location
        # Half of the time is for the pass, half for the run that ends in the tackle; a longer pass delays the tackle.
        flight = max(frames // 2, frames_to_run(state, carrier, location))
        frames += flight - frames // 2
        start = np.array([*location, BALL_RADIUS])
        meet_ball(state, carrier, current.location, location, frames=flight)
        trajectory = fly if current.move is Move.THROW_IN else roll
        path = trajectory(current.point, start, frames=flight)
        state.advance(path, possession=current.side, pressing_metres=1.6)
    tackler = placing.nearest_player(state.people.position, start[:2], side=1 - current.side)
    end = step_toward(start[:2], target, longest=5.0 * (frames - flight) / FPS)
    running = max(frames - flight, frames_to_run(state, tackler, end))
    path = run_with_ball(state, carrier, start, end, frames=running, touch_metres=0.8)
    meet_ball(state, tackler, state.people.position[tackler], end, frames=running)
    state.advance(path, possession=current.side, pressing_metres=2.0)
    frame = current.frame + flight + running
    state.gestures.add(Pose.FALL, carrier, frame + 3, not_before=frame - 2)
    return Contact(frame, following.move, 1 - current.side, tackler, np.array([*end, BALL_RADIUS]))


def _block(state: HalfState, current: Contact, following: ScheduledMove) -> Contact:
    """Strike the ball hard at an opponent whose distance it covers in the time given."""
    frames = following.frame - current.frame
    # Metres that the struck ball covers until the block.
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
    person = int(opponents[best])
    run = metres_to_run(state, person, location) - 0.8
    frames = frames_needed(current, following, distance=run, speed=placing.RUN_SPEED)
    meet_ball(state, person, current.location, location, frames=frames)
    state.advance(fly(current.point, point, frames=frames), possession=current.side)
    return Contact(current.frame + frames, following.move, side, person, point)


def _save(state: HalfState, current: Contact, following: ScheduledMove) -> Contact:
    """Let the goalkeeper catch a shot, carry the ball forward, and put it down for his kick."""
    side = 1 - current.side
    keeper = KEEPERS[side]
    location = np.array([-ATTACK[side] * (HALF_LENGTH - 2.0), np.clip(0.4 * current.point[1], -3.0, 3.0)])
    distance = float(np.linalg.norm(location - current.location))
    flight = max(6, round(distance / 24 * FPS))
    frames = max(following.frame - current.frame, flight + 10)
    caught = np.array([*location, 1.0])
    meet_ball(state, keeper, current.location, location, frames=flight)
    state.gestures.add(Pose.DIVE, keeper, current.frame + flight, not_before=current.frame)
    state.advance(fly(current.point, caught, frames=flight), possession=current.side)
    remaining = frames - flight
    end = location + np.array([ATTACK[side] * min(1.6 * remaining / FPS, 6.0), state.rng.normal(0, 1.0)])
    path = run_with_ball(state, keeper, caught, end, frames=remaining, touch_metres=0.1)
    # Lower the ball to the ground over the last frames only.
    path[:, 2] = np.minimum(caught[2], BALL_RADIUS + 0.25 * np.arange(remaining)[::-1])
    state.advance(path, possession=side, pressing_metres=8.0)
    return Contact(current.frame + frames, following.move, side, keeper, np.array([*end, BALL_RADIUS]))


def _receiving_side(
    state: HalfState, current: Contact, following: ScheduledMove, upcoming: Sequence[Move]
) -> int:
    if following.move is Move.SHOT or (following.move is Move.HEADER and upcoming[1:2] == [Move.GOAL]):
        side = current.side if current.move is not Move.BLOCK else 1 - current.side
    elif following.move is Move.HEADER and upcoming[1:2] == [Move.OUT_CORNER]:
        side = 1 - current.side
    else:
        side = 1 - current.side if state.rng.random() < _TURNOVER_RATE[current.move] else current.side
    return 1 - side if placing.suits_opponents(upcoming, current.location, side=side) else side


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
