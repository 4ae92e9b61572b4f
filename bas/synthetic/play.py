"""A half on the pitch: every planned move gets a place, a player, and motion before and after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from jaxtyping import Float32, UInt8

from bas.synthetic.actions import Action, Move, Profile
from bas.synthetic.passages import play_on
from bas.synthetic.people import KEEPERS, REFEREE
from bas.synthetic.plan import FPS, KICK_OFF_FRAME, Planned, plan
from bas.synthetic.poses import Pose
from bas.synthetic.restarts import leave, prepare, restart
from bas.synthetic.stage import Contact, Stage
from bas.synthetic.trajectory import run_out

_DISTRACTIONS_PER_SECOND = 0.7


@dataclass(frozen=True, slots=True)
class Half:
    """Everything that happened on the pitch; sides are those of the picture."""

    ball: Float32[np.ndarray, "frames 3"]
    people: Float32[np.ndarray, "frames people 2"]
    """Left team (keeper first), right team, referee."""
    poses: UInt8[np.ndarray, "frames people"]
    phases: UInt8[np.ndarray, "frames people"]
    scenes: tuple[int, ...]
    """Frames at which the broadcast jumps to another situation, 0 among them."""
    contacts: tuple[Contact, ...]

    def __len__(self) -> int:
        return len(self.ball)


def play(profile: Profile, *, frames: int, rng: np.random.Generator) -> Half:
    """Play one half of `frames` frames."""
    planned = plan(profile, frames=frames, rng=rng)
    moves = [item.move for item in planned]
    stage = Stage(frames=frames, rng=rng)
    stage.people.place(np.zeros(2), possession=0)
    contacts = [prepare(stage, planned[0], side=int(rng.integers(2)), spot=np.zeros(2))]
    _gesture(stage, contacts[0])
    for i, then in enumerate(planned[1:], start=1):
        late = contacts[-1].frame - planned[i - 1].frame
        if then.frame + late >= frames - 2 * FPS:
            break
        contact = _passage(stage, contacts[-1], replace(then, frame=then.frame + late), moves[i:])
        if contact.frame > frames - FPS:
            break
        _gesture(stage, contact)
        contacts.append(contact)
    _fade_out(stage, contacts[-1])
    _distract(stage)
    gestures = stage.gestures
    return Half(stage.ball, stage.track, gestures.pose, gestures.phase, tuple(stage.scenes), tuple(contacts))


def _passage(stage: Stage, now: Contact, then: Planned, ahead: list[Move]) -> Contact:
    if then.move.restarts:
        return restart(stage, now, then, ahead)
    if then.move.leaves_play:
        return leave(stage, now, then)
    return play_on(stage, now, then, ahead)


def _gesture(stage: Stage, contact: Contact) -> None:
    """The body's part in an action, around its frame."""
    match contact.move.action:
        case Action.PASS | Action.HIGH_PASS | Action.CROSS | Action.SHOT | Action.FREE_KICK:
            stage.gestures.make(Pose.KICK, contact.person, contact.frame)
        case Action.HEADER:
            stage.gestures.make(Pose.JUMP, contact.person, contact.frame)
        case Action.THROW_IN:
            stage.gestures.make(Pose.THROW, contact.person, contact.frame)
        case Action.TACKLE:
            stage.gestures.make(Pose.SLIDE, contact.person, contact.frame)
        case Action.BLOCK:
            pose = stage.rng.choice(np.array([Pose.KICK, Pose.JUMP, Pose.SLIDE]))
            stage.gestures.make(Pose(pose), contact.person, contact.frame)
        case Action.DRIVE | Action.OUT | Action.GOAL:
            pass
        case _:
            assert_never(contact.move.action)


def _fade_out(stage: Stage, last: Contact) -> None:
    """The last ball of the half rolls to a stop."""
    velocity = np.array([4.0 if last.point[0] < 0 else -4.0, 0.0, 0.0])
    frames = stage.frames_left
    stage.advance(
        run_out(last.point, velocity, frames=frames, fps=FPS, stop_seconds=1.0),
        possession=last.side,
        pressing=6.0,
    )


def _distract(stage: Stage) -> None:
    """Swings and jumps of players near the ball that mean nothing."""
    frames = len(stage.ball)
    for moment in stage.rng.integers(KICK_OFF_FRAME, frames, round(frames / FPS * _DISTRACTIONS_PER_SECOND)):
        distance = np.linalg.norm(stage.track[moment] - stage.ball[moment, :2], axis=1)
        distance[[*KEEPERS, REFEREE]] = np.inf
        person = int(stage.rng.choice(np.argsort(distance)[:6]))
        pose = Pose.KICK if stage.rng.random() < 0.6 else Pose.JUMP
        window = stage.gestures.pose[max(moment - 8, 0) : moment + 8, person]
        if not window.any():
            stage.gestures.make(pose, person, int(moment))
