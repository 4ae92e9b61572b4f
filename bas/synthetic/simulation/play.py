"""Simulation of a half: each scheduled move gets a location, a player, and motion before and after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from jaxtyping import Float32, UInt8

from bas.synthetic.simulation.actions import Action, Move, Profile
from bas.synthetic.simulation.passages import play_passage
from bas.synthetic.simulation.people import KEEPERS, REFEREE, Pose
from bas.synthetic.simulation.restarts import play_out, play_restart, prepare_restart
from bas.synthetic.simulation.schedule import FPS, KICK_OFF_FRAME, ScheduledMove, schedule
from bas.synthetic.simulation.stage import Contact, HalfState
from bas.synthetic.simulation.trajectory import roll_to_rest

_DISTRACTIONS_PER_SECOND = 0.7


@dataclass(frozen=True, slots=True)
class Half:
    """Complete record of a simulated half. Left and right are those of the picture."""

    ball: Float32[np.ndarray, "frames 3"]
    people: Float32[np.ndarray, "frames people 2"]
    """Positions of the left team (goalkeeper first), the right team and the referee."""
    poses: UInt8[np.ndarray, "frames people"]
    phases: UInt8[np.ndarray, "frames people"]
    scenes: tuple[int, ...]
    """First frame of each scene: 0, and the frames at which the broadcast cuts to another situation."""
    contacts: tuple[Contact, ...]

    def __len__(self) -> int:
        return len(self.ball)


def play_half(profile: Profile, *, frames: int, rng: np.random.Generator) -> Half:
    """Simulate a half of `frames` frames."""
    scheduled = schedule(profile, frames=frames, rng=rng)
    moves = [item.move for item in scheduled]
    state = HalfState(frames=frames, rng=rng)
    state.people.start_scene(np.zeros(2), possession=0)
    contacts = [prepare_restart(state, scheduled[0], side=int(rng.integers(2)), location=np.zeros(2))]
    _add_gesture(state, contacts[0])
    for i, following in enumerate(scheduled[1:], start=1):
        # A move that took longer than scheduled delays all later ones, so gaps are kept.
        delay = contacts[-1].frame - scheduled[i - 1].frame
        if following.frame + delay >= frames - 2 * FPS:
            break
        contact = _play_next(
            state, contacts[-1], replace(following, frame=following.frame + delay), moves[i:]
        )
        if contact.frame > frames - FPS:
            break
        _add_gesture(state, contact)
        contacts.append(contact)
    _roll_to_stop(state, contacts[-1])
    _add_distractions(state)
    gestures = state.gestures
    return Half(state.ball, state.track, gestures.pose, gestures.phase, tuple(state.scenes), tuple(contacts))


def _play_next(state: HalfState, current: Contact, following: ScheduledMove, upcoming: list[Move]) -> Contact:
    if following.move.is_restart:
        return play_restart(state, current, following, upcoming)
    if following.move.leaves_play:
        return play_out(state, current, following)
    return play_passage(state, current, following, upcoming)


def _add_gesture(state: HalfState, contact: Contact) -> None:
    """Add the gesture that belongs to an action, around its frame."""
    match contact.move.action:
        case Action.PASS | Action.HIGH_PASS | Action.CROSS | Action.SHOT | Action.FREE_KICK:
            state.gestures.add(Pose.KICK, contact.person, contact.frame)
        case Action.HEADER:
            state.gestures.add(Pose.JUMP, contact.person, contact.frame)
        case Action.THROW_IN:
            state.gestures.add(Pose.THROW, contact.person, contact.frame)
        case Action.TACKLE:
            state.gestures.add(Pose.SLIDE, contact.person, contact.frame)
        case Action.BLOCK:
            pose = state.rng.choice(np.array([Pose.KICK, Pose.JUMP, Pose.SLIDE]))
            state.gestures.add(Pose(pose), contact.person, contact.frame)
        case Action.DRIVE | Action.OUT | Action.GOAL:
            pass
        case _:
            assert_never(contact.move.action)


def _roll_to_stop(state: HalfState, last: Contact) -> None:
    """Let the ball roll to a stop after the last action."""
    velocity = np.array([4.0 if last.point[0] < 0 else -4.0, 0.0, 0.0])
    frames = state.frames_left
    state.advance(
        roll_to_rest(last.point, velocity, frames=frames, stop_seconds=1.0),
        possession=last.side,
        pressing_metres=6.0,
    )


def _add_distractions(state: HalfState) -> None:
    """Add swings and jumps of players near the ball that belong to no action."""
    frames = len(state.ball)
    for moment in state.rng.integers(KICK_OFF_FRAME, frames, round(frames / FPS * _DISTRACTIONS_PER_SECOND)):
        distance = np.linalg.norm(state.track[moment] - state.ball[moment, :2], axis=1)
        distance[[*KEEPERS, REFEREE]] = np.inf
        person = int(state.rng.choice(np.argsort(distance)[:6]))
        pose = Pose.KICK if state.rng.random() < 0.6 else Pose.JUMP
        nearby_poses = state.gestures.pose[max(moment - 8, 0) : moment + 8, person]
        if not nearby_poses.any():
            state.gestures.add(pose, person, int(moment))
