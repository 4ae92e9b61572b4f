"""Poses and gestures of people: running by default, and gestures of about half a second."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from jaxtyping import UInt8


class Pose(IntEnum):
    """Pose of a body. The phase of a gesture runs from 0 to NUM_PHASES - 1 over its duration."""

    RUN = 0
    KICK = 1
    JUMP = 2
    THROW = 3
    SLIDE = 4
    FALL = 5
    DIVE = 6
    CHEER = 7
    HOLD = 8


NUM_PHASES = 12
_SPANS = {
    Pose.KICK: (6, 6),
    Pose.JUMP: (6, 6),
    Pose.THROW: (4, 8),
    Pose.SLIDE: (8, 10),
    Pose.FALL: (3, 30),
    Pose.DIVE: (6, 22),
    Pose.CHEER: (0, 50),
}
"""Frames before and after the contact, which is at phase NUM_PHASES / 2."""


class Gestures:
    """Pose and phase of every person in every frame."""

    def __init__(self, *, frames: int, people: int) -> None:
        self.pose: UInt8[np.ndarray, "frames people"] = np.zeros((frames, people), np.uint8)
        self.phase: UInt8[np.ndarray, "frames people"] = np.zeros((frames, people), np.uint8)

    def add(self, pose: Pose, person: int, frame: int, *, not_before: int = 0) -> None:
        """Add a gesture with its contact at `frame`; frames before `not_before` are left unchanged."""
        before, after = _SPANS[pose]
        for i in range(max(frame - before, not_before, 0), min(frame + after, len(self.pose))):
            offset = i - frame
            share = offset / before if offset < 0 else offset / after
            self.pose[i, person] = pose
            self.phase[i, person] = min(NUM_PHASES - 1, int((1 + share) * NUM_PHASES / 2))

    def hold(self, pose: Pose, person: int, start: int, stop: int) -> None:
        """Hold a pose at phase 0 over frames [start, stop)."""
        self.pose[start:stop, person] = pose
        self.phase[start:stop, person] = 0
