"""The half as it is being played: what has been written so far, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from bas.synthetic.actions import Move
from bas.synthetic.people import NUM_PEOPLE, People
from bas.synthetic.plan import FPS
from bas.synthetic.poses import Gestures
from bas.synthetic.trajectory import Path, Point


@dataclass(frozen=True, slots=True)
class Contact:
    """A move with its place: the moment at which an action is labelled."""

    frame: int
    move: Move
    side: int
    """Team that acts, by the side of the picture that it defends; the last toucher of a ball that goes out."""
    person: int
    """Who acts; the last toucher of a ball that goes out, the scorer of a goal."""
    point: Point
    """Of the ball."""

    @property
    def ground(self) -> Float[np.ndarray, "2"]:
        """The point without its height."""
        return self.point[:2]


class Stage:
    """Ball, people and gestures up to `frame`, which is the last one written."""

    def __init__(self, *, frames: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.people = People(fps=FPS, rng=rng)
        self.gestures = Gestures(frames=frames, people=NUM_PEOPLE)
        self.ball: Float32[np.ndarray, "frames 3"] = np.zeros((frames, 3), np.float32)
        self.track: Float32[np.ndarray, "frames people 2"] = np.zeros((frames, NUM_PEOPLE, 2), np.float32)
        self.scenes: list[int] = [0]
        """Frames at which the broadcast cuts to another situation."""
        self.frame = -1

    @property
    def frames_left(self) -> int:
        """Frames that nobody has played yet."""
        return len(self.ball) - 1 - self.frame

    def advance(self, path: Path, *, possession: int, pressing: float = 2.6) -> None:
        """Move the ball along `path` and everybody with it; what lies past the end of the half is dropped."""
        for point in path[: self.frames_left]:
            self.frame += 1
            self.people.step(point[:2], possession=possession, pressing=pressing)
            self.ball[self.frame] = point
            self.track[self.frame] = self.people.position

    def velocity(self) -> Point:
        """Of the ball, in metres a second, over the last frame."""
        if self.frame < 1:
            return np.zeros(3)
        step: Point = (self.ball[self.frame] - self.ball[self.frame - 1]).astype(np.float64) * FPS
        return step

    def cut(self, spot: Float[np.ndarray, "2"], *, possession: int) -> None:
        """Leave the situation: the next frame shows everybody placed around `spot`."""
        self.scenes.append(self.frame + 1)
        self.people.place(spot, possession=possession)
