"""What bodies do: running by default, and a few gestures that last about half a second."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from jaxtyping import UInt8


class Pose(IntEnum):
    """A gesture; its phase runs from 0 to PHASES - 1 over its window."""

    RUN = 0
    KICK = 1
    JUMP = 2
    THROW = 3
    SLIDE = 4
    FALL = 5
    DIVE = 6
    CHEER = 7
    HOLD = 8


PHASES = 12
_WINDOWS = {
    Pose.KICK: (6, 6),
    Pose.JUMP: (6, 6),
    Pose.THROW: (4, 8),
    Pose.SLIDE: (8, 10),
    Pose.FALL: (3, 30),
    Pose.DIVE: (6, 22),
    Pose.CHEER: (0, 50),
}
"""Frames before and after the moment of contact; that moment is phase PHASES / 2."""


class Gestures:
    """Who makes which gesture in every frame."""

    def __init__(self, *, frames: int, people: int) -> None:
        self.pose: UInt8[np.ndarray, "frames people"] = np.zeros((frames, people), np.uint8)
        self.phase: UInt8[np.ndarray, "frames people"] = np.zeros((frames, people), np.uint8)

    def make(self, pose: Pose, person: int, frame: int, *, since: int = 0) -> None:
        """Put a gesture with its contact at `frame`; nothing before frame `since` changes."""
        before, after = _WINDOWS[pose]
        for moment in range(max(frame - before, since, 0), min(frame + after, len(self.pose))):
            offset = moment - frame
            share = offset / before if offset < 0 else offset / after
            self.pose[moment, person] = pose
            self.phase[moment, person] = min(PHASES - 1, int((1 + share) * PHASES / 2))

    def keep(self, pose: Pose, person: int, start: int, stop: int) -> None:
        """Hold a gesture at its first phase over [start, stop)."""
        self.pose[start:stop, person] = pose
        self.phase[start:stop, person] = 0
