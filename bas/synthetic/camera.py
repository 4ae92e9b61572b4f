"""The broadcast's cameras: where they stand, what they follow, and where a point of the pitch lands in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32

from bas.synthetic.plan import FPS
from bas.synthetic.play import Half

_WIDTH_METRES = 21.0
_WIDEST_METRES = 38.0
_FOLLOW_SECONDS = 0.34
_ZOOM_SECONDS = 0.7
_SHOT_SECONDS = (9.0, 26.0)
_STANDS = np.array([(0.0, -62.0, 29.0), (-30.0, -56.0, 25.0), (30.0, -56.0, 25.0)])
"""Main camera and the two on the lines of the penalty areas, all on one side of the pitch."""
_ZOOMS = (1.0, 1.0, 0.86, 1.12)
_QUIET_FRAMES = 14
"""No cut without need comes nearer than this to an action."""


@dataclass(frozen=True, slots=True)
class Views:
    """What the camera on air shows, frame by frame."""

    eye: Float32[np.ndarray, "frames 3"]
    target: Float32[np.ndarray, "frames 2"]
    """Point of the ground in the middle of the picture."""
    width: Float32[np.ndarray, "frames"]
    """Metres from the left to the right edge at the target."""


@dataclass(frozen=True, slots=True)
class Projection:
    """One frame's pinhole camera without roll."""

    eye: Float[np.ndarray, "3"]
    forward: Float[np.ndarray, "3"]
    right: Float[np.ndarray, "3"]
    up: Float[np.ndarray, "3"]
    focal: float
    center: tuple[float, float]
    """Column and row of the target."""

    def place(self, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """Column, row, and picture elements a metre of every point."""
        axes = np.stack([self.right, self.up, self.forward])
        right, up, ahead = np.einsum("ai,ni->an", axes, points - self.eye)
        scale = self.focal / np.maximum(ahead, 1.0)
        column = self.center[0] + scale * right
        row = self.center[1] - scale * up
        return np.stack([column, row, scale], axis=1)


def projection(views: Views, frame: int, *, width: int, height: int) -> Projection:
    """The camera of `frame` for a picture of `width` x `height`."""
    eye = views.eye[frame].astype(np.float64)
    way = np.array([*views.target[frame], 0.0]) - eye
    distance = float(np.linalg.norm(way))
    forward = way / distance
    right = np.array([forward[1], -forward[0], 0.0])
    right /= np.linalg.norm(right)
    focal = width * distance / float(views.width[frame])
    return Projection(eye, forward, right, np.cross(right, forward), focal, (width / 2, 0.56 * height))


def follow(half: Half, *, rng: np.random.Generator) -> Views:
    """Pan and zoom after the ball; cut with every scene and now and then between."""
    frames = len(half)
    eye = np.empty((frames, 3), np.float32)
    target = np.empty((frames, 2), np.float32)
    width = np.empty(frames, np.float32)
    cuts = [*_cuts(half, rng), frames]
    previous = -1
    for start, stop in pairwise(cuts):
        stand, zoom = previous, 1.0
        while (stand, zoom) == (previous, 1.0) or stand < 0:
            stand = int(rng.choice(len(_STANDS), p=(0.6, 0.2, 0.2)))
            zoom = float(rng.choice(_ZOOMS))
        previous = stand
        ball = half.ball[start:stop].astype(np.float64)
        eye[start:stop] = _STANDS[stand] + (0.25 * ball[:, :1].mean() * np.array([1.0, 0, 0]))
        target[start:stop] = _smooth(ball[:, :2], seconds=_FOLLOW_SECONDS)
        width[start:stop] = _zoom(ball, target[start:stop], zoom * _WIDTH_METRES)
    return Views(eye, target, width)


def _cuts(half: Half, rng: np.random.Generator) -> list[int]:
    """First frames of the shots: the scenes, and changes of camera where nothing happens."""
    busy = np.zeros(len(half) + 1, bool)
    for contact in half.contacts:
        busy[max(contact.frame - _QUIET_FRAMES, 0) : contact.frame + _QUIET_FRAMES] = True
    cuts = []
    for start, stop in zip(half.scenes, (*half.scenes[1:], len(half)), strict=True):
        cuts.append(start)
        while True:
            earliest = cuts[-1] + round(rng.uniform(*_SHOT_SECONDS) * FPS)
            free = np.flatnonzero(~busy[earliest : stop - 2 * _QUIET_FRAMES])
            if len(free) == 0:
                break
            cuts.append(int(earliest + free[0]))
    return cuts


def _zoom(
    ball: Float[np.ndarray, "frames 3"], target: Float32[np.ndarray, "frames 2"], usual: float
) -> Float[np.ndarray, "frames"]:
    """Wide enough for the ball to stay well inside, and no quicker than an operator's hand."""
    away = np.abs(ball[:, :2] - target)
    needed = np.maximum((away[:, 0] + 2.0) * 2.4, (0.45 * away[:, 1] + 0.9 * ball[:, 2] + 1.0) * 4.2)
    wanted = np.clip(needed, usual, _WIDEST_METRES)
    reach = round(0.5 * FPS)
    padded = np.pad(wanted, reach, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    return _smooth(highest[:, None], seconds=_ZOOM_SECONDS / 2)[:, 0]


def _smooth(
    values: Float[np.ndarray, "frames channels"], *, seconds: float
) -> Float[np.ndarray, "frames channels"]:
    """Gaussian average over time."""
    sigma = seconds * FPS
    reach = round(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], axis=1)
