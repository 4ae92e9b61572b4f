"""How a ball moves from one contact to the next, in metres, one row a frame.

Every path starts after its first point and ends on its last one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

BALL_RADIUS = 0.11
_GRAVITY = 9.81
_HIGHEST_METRES = 7.0
_KICK_SPEED = 10.0
"""Metres a second that a ball on the ground starts with at least."""
_TOUCH_SECONDS = 0.44

Point = Float[np.ndarray, "3"]
Path = Float[np.ndarray, "frames 3"]


def roll(start: Point, end: Point, *, frames: int, fps: int) -> Path:
    """Along the ground, struck firmly and losing speed; one that starts in the air falls first and bounces."""
    tau = np.arange(1, frames + 1) / frames
    distance = max(float(np.linalg.norm(end - start)), 0.1)
    decay = float(np.clip(_KICK_SPEED * frames / fps / distance, 0.9, 5.0))
    share = (1 - np.exp(-decay * tau)) / (1 - np.exp(-decay))
    path: Path = start + (end - start) * share[:, None]
    path[:, 2] = end[2] + _bounces(start[2] - end[2], np.arange(1, frames + 1) / fps)
    return path


def fly(start: Point, end: Point, *, frames: int, fps: int) -> Path:
    """Through the air: a straight line on the ground, a parabola above it."""
    tau = np.arange(1, frames + 1) / frames
    path: Path = start + (end - start) * tau[:, None]
    apex = min(_GRAVITY * (frames / fps) ** 2 / 8, _HIGHEST_METRES)
    path[:, 2] += 4 * apex * tau * (1 - tau)
    return path


def carry(start: Point, runner: Float[np.ndarray, "frames 2"], end: Point, *, fps: int, reach: float) -> Path:
    """At the feet of a runner, who pushes the ball ahead by up to `reach` metres with every touch."""
    frames = len(runner)
    heading = np.gradient(runner, axis=0) if frames > 1 else (end - start)[None, :2]
    heading = heading / np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 0.02)
    touches = max(1, round(frames / fps / _TOUCH_SECONDS))
    phase = np.arange(1, frames + 1) / frames * touches % 1.0
    ahead = 0.4 + reach * np.sin(np.pi * phase**0.7)
    free = runner + heading * ahead[:, None]
    path: Path = np.c_[free, np.full(frames, BALL_RADIUS)]
    blend = min(frames, 6)
    fade = np.arange(1, blend + 1)[:, None] / blend
    path[:blend] = start + (path[:blend] - start) * fade
    path[frames - blend :] += (end - path[-1]) * fade
    path[:, 2] = np.maximum(path[:, 2], BALL_RADIUS)
    return path


def run_out(start: Point, velocity: Point, *, frames: int, fps: int, stop_seconds: float) -> Path:
    """A ball that nobody plays: it falls, bounces, and comes to rest after a while."""
    time = np.arange(1, frames + 1) / fps
    travelled = stop_seconds * (1 - np.exp(-time / stop_seconds))
    path: Path = start + velocity * travelled[:, None]
    path[:, 2] = BALL_RADIUS + _bounces(start[2] - BALL_RADIUS, time)
    return path


def _bounces(height: float, time: Float[np.ndarray, "frames"]) -> Float[np.ndarray, "frames"]:
    """Height over the ground of something dropped from `height`, four fifths of the speed lost at each bounce."""
    if height < 0.05:
        return np.zeros_like(time)
    fall = np.sqrt(2 * height / _GRAVITY)
    falling = np.maximum(height - 0.5 * _GRAVITY * time**2, 0)
    bounce = 0.5 * fall * 2
    since = (time - fall) / bounce
    low = np.where((since > 0) & (since < 1), height * 0.25 * 4 * since * (1 - since), 0.0)
    return np.where(time < fall, falling, low)


def hermite(
    start: Float[np.ndarray, "2"],
    velocity: Float[np.ndarray, "2"],
    end: Float[np.ndarray, "2"],
    *,
    frames: int,
    fps: int,
    arrival: Float[np.ndarray, "2"] | None = None,
) -> Float[np.ndarray, "frames 2"]:
    """A runner's way to `end`: it keeps the first velocity (metres a second) and arrives with `arrival`."""
    seconds = frames / fps
    tau = (np.arange(1, frames + 1) / frames)[:, None]
    first = velocity * min(seconds, 1.5)
    last = np.zeros(2) if arrival is None else arrival * min(seconds, 1.5)
    way: Float[np.ndarray, "frames 2"] = (
        (2 * tau**3 - 3 * tau**2 + 1) * start
        + (tau**3 - 2 * tau**2 + tau) * first
        + (3 * tau**2 - 2 * tau**3) * end
        + (tau**3 - tau**2) * last
    )
    return way
