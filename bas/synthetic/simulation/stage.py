"""State of a half during simulation, recorded frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from bas.synthetic.simulation.actions import Move
from bas.synthetic.simulation.people import NUM_PEOPLE, Gestures, People
from bas.synthetic.simulation.schedule import FPS
from bas.synthetic.simulation.trajectory import Path, Point


@dataclass(frozen=True, slots=True)
class Contact:
    """A move with its frame, player and ball position: one labelled action."""

    frame: int
    move: Move
    side: int
    """Acting team, by the side that it defends (LEFT or RIGHT); for a ball out of play, the last team to touch it."""
    person: int
    """Acting person; the last one to touch a ball that goes out, the scorer of a goal."""
    point: Point
    """Position of the ball."""

    @property
    def location(self) -> Float[np.ndarray, "2"]:
        """Position of the ball on the ground, without its height."""
        return self.point[:2]


class HalfState:
    """Ball, people and gestures up to and including `frame`, the last one recorded."""

    def __init__(self, *, frames: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.people = People(rng=rng)
        self.gestures = Gestures(frames=frames, people=NUM_PEOPLE)
        self.ball: Float32[np.ndarray, "frames 3"] = np.zeros((frames, 3), np.float32)
        self.track: Float32[np.ndarray, "frames people 2"] = np.zeros((frames, NUM_PEOPLE, 2), np.float32)
        self.scenes: list[int] = [0]
        """First frame of each scene: 0, and the frames at which the broadcast cuts to another situation."""
        self.frame = -1

    @property
    def frames_left(self) -> int:
        """Number of frames not simulated yet."""
        return len(self.ball) - 1 - self.frame

    def advance(self, path: Path, *, possession: int, pressing_metres: float = 2.6) -> None:
        """Move the ball along `path`, and all people with it; drop what lies past the end of the half."""
        for point in path[: self.frames_left]:
            self.frame += 1
            self.people.step(point[:2], possession=possession, pressing_metres=pressing_metres)
            self.ball[self.frame] = point
            self.track[self.frame] = self.people.position

    def ball_velocity(self) -> Point:
        """Return the ball's velocity over the last frame, in metres per second."""
        if self.frame < 1:
            return np.zeros(3)
        step: Point = (self.ball[self.frame] - self.ball[self.frame - 1]).astype(np.float64) * FPS
        return step

    def cut_to(self, location: Float[np.ndarray, "2"], *, possession: int) -> None:
        """Start a new scene: in the next frame, people stand in formation around `location`."""
        self.scenes.append(self.frame + 1)
        self.people.start_scene(location, possession=possession)
