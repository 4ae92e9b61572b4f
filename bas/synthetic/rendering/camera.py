"""Broadcast cameras: positions, pan and zoom after the ball, cuts, and projection into the picture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32

from bas.synthetic.simulation.play import Half
from bas.synthetic.simulation.schedule import FPS

_DEFAULT_WIDTH_METRES = 21.0
_MAX_WIDTH_METRES = 38.0
_FOLLOW_SECONDS = 0.34
_ZOOM_SECONDS = 0.7
_SHOT_SECONDS = (9.0, 26.0)
_CAMERA_POSITIONS = np.array([(0.0, -62.0, 29.0), (-30.0, -56.0, 25.0), (30.0, -56.0, 25.0)])
"""Main camera, and two cameras level with the penalty areas, all on one side of the pitch."""
_ZOOMS = (1.0, 1.0, 0.86, 1.12)
_QUIET_FRAMES = 14
"""Minimum distance of an optional cut from any action."""


@dataclass(frozen=True, slots=True)
class CameraTrack:
    """Position, aim and zoom of the live camera in every frame."""

    eye: Float32[np.ndarray, "frames 3"]
    target: Float32[np.ndarray, "frames 2"]
    """Point on the ground that the camera aims at."""
    view_width: Float32[np.ndarray, "frames"]
    """Metres between the left and right edges of the picture, at the target."""


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """Pinhole camera of one frame, without roll."""

    eye: Float[np.ndarray, "3"]
    forward: Float[np.ndarray, "3"]
    right: Float[np.ndarray, "3"]
    up: Float[np.ndarray, "3"]
    focal: float
    center: tuple[float, float]
    """Column and row at which the target appears."""

    def project(self, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """Project points given in metres to (column, row, pixels per metre)."""
        axes = np.stack([self.right, self.up, self.forward])
        # World (x, y, z) to camera axes (right, up, forward), without a matrix product (see canvas).
        right, up, depth = np.einsum("ai,ni->an", axes, points - self.eye)
        # Points beside or behind the camera get a finite scale instead of a sign change.
        scale = self.focal / np.maximum(depth, 1.0)
        column = self.center[0] + scale * right
        row = self.center[1] - scale * up
        return np.stack([column, row, scale], axis=1)


def camera_at(track: CameraTrack, frame: int, *, width: int, height: int) -> PinholeCamera:
    """Return the camera of `frame` for a picture of `width` x `height` pixels."""
    eye = track.eye[frame].astype(np.float64)
    line_of_sight = np.array([*track.target[frame], 0.0]) - eye
    distance = float(np.linalg.norm(line_of_sight))
    forward = line_of_sight / distance
    # No roll: `right` is horizontal, perpendicular to the line of sight.
    right = np.array([forward[1], -forward[0], 0.0])
    right /= np.linalg.norm(right)
    # Pixels: `view_width` metres at the target's distance fill the picture from edge to edge.
    focal = width * distance / float(track.view_width[frame])
    return PinholeCamera(eye, forward, right, np.cross(right, forward), focal, (width / 2, 0.56 * height))


def camera_track(half: Half, *, rng: np.random.Generator) -> CameraTrack:
    """Pan and zoom after the ball; cut at every scene, and occasionally within one."""
    frames = len(half)
    eye = np.empty((frames, 3), np.float32)
    target = np.empty((frames, 2), np.float32)
    view_width = np.empty(frames, np.float32)
    cuts = [*_cuts(half, rng), frames]
    previous = -1
    for start, stop in pairwise(cuts):
        position, zoom = previous, 1.0
        # Draw again if nothing would change at the cut.
        while (position, zoom) == (previous, 1.0) or position < 0:
            position = int(rng.choice(len(_CAMERA_POSITIONS), p=(0.6, 0.2, 0.2)))
            zoom = float(rng.choice(_ZOOMS))
        previous = position
        ball = half.ball[start:stop].astype(np.float64)
        eye[start:stop] = _CAMERA_POSITIONS[position] + (0.25 * ball[:, :1].mean() * np.array([1.0, 0, 0]))
        target[start:stop] = _smooth(ball[:, :2], seconds=_FOLLOW_SECONDS)
        view_width[start:stop] = _view_widths(ball, target[start:stop], zoom * _DEFAULT_WIDTH_METRES)
    return CameraTrack(eye, target, view_width)


def _cuts(half: Half, rng: np.random.Generator) -> list[int]:
    """Return the first frame of each shot: every scene, and camera changes while nothing happens."""
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


def _view_widths(
    ball: Float[np.ndarray, "frames 3"], target: Float32[np.ndarray, "frames 2"], default_width: float
) -> Float[np.ndarray, "frames"]:
    """Return metres of view width that keep the ball well inside the picture, zooming no faster than an operator."""
    offset = np.abs(ball[:, :2] - target)
    required = np.maximum((offset[:, 0] + 2.0) * 2.4, (0.45 * offset[:, 1] + 0.9 * ball[:, 2] + 1.0) * 4.2)
    widths = np.clip(required, default_width, _MAX_WIDTH_METRES)
    half_window = round(0.5 * FPS)
    padded = np.pad(widths, half_window, mode="edge")
    # The maximum over a window widens the view early, so that smoothing hardly lowers the peaks.
    widest = np.lib.stride_tricks.sliding_window_view(padded, 2 * half_window + 1).max(axis=1)
    return _smooth(widest[:, None], seconds=_ZOOM_SECONDS / 2)[:, 0]


def _smooth(
    values: Float[np.ndarray, "frames channels"], *, seconds: float
) -> Float[np.ndarray, "frames channels"]:
    """Smooth over time with a Gaussian."""
    sigma = seconds * FPS
    half_window = round(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-half_window, half_window + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((half_window, half_window), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], axis=1)
