"""Paths of the ball and of runners between two contacts, in metres, with one row per frame.

A path excludes its start point and includes its end point.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bas.synthetic.simulation.schedule import FPS

BALL_RADIUS = 0.11
_GRAVITY = 9.81
_MAX_APEX_METRES = 7.0
_MIN_KICK_SPEED = 10.0
"""Minimum initial speed of a ball on the ground, in metres per second."""
_TOUCH_SECONDS = 0.44

Point = Float[np.ndarray, "3"]
Path = Float[np.ndarray, "frames 3"]


def roll(start: Point, end: Point, *, frames: int) -> Path:
    """Roll along the ground, losing speed; a ball that starts in the air first falls and bounces."""
    tau = np.arange(1, frames + 1) / frames
    distance = max(float(np.linalg.norm(end - start)), 0.1)
    decay = float(np.clip(_MIN_KICK_SPEED * frames / FPS / distance, 0.9, 5.0))
    # Exponential slow-down, scaled to end exactly at `end`; `decay` sets the initial speed.
    share = (1 - np.exp(-decay * tau)) / (1 - np.exp(-decay))
    path: Path = start + (end - start) * share[:, None]
    path[:, 2] = end[2] + _bounces(start[2] - end[2], np.arange(1, frames + 1) / FPS)
    return path


def fly(start: Point, end: Point, *, frames: int) -> Path:
    """Fly through the air: a straight line on the ground, a parabola above it."""
    tau = np.arange(1, frames + 1) / frames
    path: Path = start + (end - start) * tau[:, None]
    # g t^2 / 8 is the height that a ball in the air for t seconds reaches.
    apex = min(_GRAVITY * (frames / FPS) ** 2 / 8, _MAX_APEX_METRES)
    path[:, 2] += 4 * apex * tau * (1 - tau)
    return path


def carry(start: Point, runner: Float[np.ndarray, "frames 2"], end: Point, *, touch_metres: float) -> Path:
    """Stay at the feet of a runner, who pushes the ball up to `touch_metres` ahead with every touch."""
    frames = len(runner)
    heading = np.gradient(runner, axis=0) if frames > 1 else (end - start)[None, :2]
    heading = heading / np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 0.02)
    touches = max(1, round(frames / FPS / _TOUCH_SECONDS))
    phase = np.arange(1, frames + 1) / frames * touches % 1.0
    # After a touch the ball is soon far ahead, and the runner catches up slowly: hence the power.
    ahead = 0.4 + touch_metres * np.sin(np.pi * phase**0.7)
    ball = runner + heading * ahead[:, None]
    path: Path = np.c_[ball, np.full(frames, BALL_RADIUS)]
    # Blend with the given end points: the runner's feet and the ball need not coincide there.
    blend = min(frames, 6)
    fade = np.arange(1, blend + 1)[:, None] / blend
    path[:blend] = start + (path[:blend] - start) * fade
    path[frames - blend :] += (end - path[-1]) * fade
    path[:, 2] = np.maximum(path[:, 2], BALL_RADIUS)
    return path


def roll_to_rest(start: Point, velocity: Point, *, frames: int, stop_seconds: float) -> Path:
    """Let a ball that nobody plays fall, bounce and slow down, with time constant `stop_seconds`."""
    time = np.arange(1, frames + 1) / FPS
    travelled = stop_seconds * (1 - np.exp(-time / stop_seconds))
    path: Path = start + velocity * travelled[:, None]
    path[:, 2] = BALL_RADIUS + _bounces(start[2] - BALL_RADIUS, time)
    return path


def _bounces(height: float, time: Float[np.ndarray, "frames"]) -> Float[np.ndarray, "frames"]:
    """Return the height of a ball dropped from `height`: it falls, bounces once to a quarter of it, and stays down."""
    if height < 0.05:
        return np.zeros_like(time)
    fall = np.sqrt(2 * height / _GRAVITY)
    falling = np.maximum(height - 0.5 * _GRAVITY * time**2, 0)
    bounce = 0.5 * fall * 2
    bounce_phase = (time - fall) / bounce
    # One bounce, as a parabola that peaks at a quarter of the height and lasts as long as the fall.
    low = np.where(
        (bounce_phase > 0) & (bounce_phase < 1), height * 0.25 * 4 * bounce_phase * (1 - bounce_phase), 0.0
    )
    return np.where(time < fall, falling, low)


def step_toward(
    start: Float[np.ndarray, "2"], target: Float[np.ndarray, "2"], *, longest: float, shortest: float = 0.0
) -> Float[np.ndarray, "2"]:
    """Return the point on the way to `target`, or beyond it if it is nearer than `shortest` metres."""
    offset = target - start
    distance = float(np.linalg.norm(offset))
    step = np.clip(distance, shortest, longest)
    point: Float[np.ndarray, "2"] = start + offset / max(distance, 1e-6) * step
    return point


def hermite(
    start: Float[np.ndarray, "2"],
    velocity: Float[np.ndarray, "2"],
    end: Float[np.ndarray, "2"],
    *,
    frames: int,
    arrival: Float[np.ndarray, "2"] | None = None,
) -> Float[np.ndarray, "frames 2"]:
    """Return a runner's path to `end` that starts with `velocity` and arrives with `arrival`, in metres per second."""
    seconds = frames / FPS
    tau = (np.arange(1, frames + 1) / frames)[:, None]
    # Tangents of a cubic Hermite spline over all its time, capped: in a long run they would lead far astray.
    start_tangent = velocity * min(seconds, 1.5)
    end_tangent = np.zeros(2) if arrival is None else arrival * min(seconds, 1.5)
    path: Float[np.ndarray, "frames 2"] = (
        (2 * tau**3 - 3 * tau**2 + 1) * start
        + (tau**3 - 2 * tau**2 + tau) * start_tangent
        + (3 * tau**2 - 2 * tau**3) * end
        + (tau**3 - tau**2) * end_tangent
    )
    return path
