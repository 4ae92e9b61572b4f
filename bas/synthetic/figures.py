"""How bodies are held in every frame, read from their tracks: heading, effort, phase of the step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32, UInt8

from bas.synthetic.plan import FPS
from bas.synthetic.play import Half
from bas.synthetic.poses import Pose
from bas.synthetic.sprites import STRIDES

_WALKING, _RUNNING = 0.5, 3.2
"""Metres a second from which on somebody walks, runs."""
_STEP_METRES = (1.0, 1.6, 3.0)
"""Double step by effort."""
_LOOK_AHEAD_FRAMES = 6
_TURN_SECONDS = 0.12


@dataclass(frozen=True, slots=True)
class Figures:
    """One entry a frame and person."""

    heading: Float32[np.ndarray, "frames people"]
    """Angle of the face from the x axis toward y."""
    effort: UInt8[np.ndarray, "frames people"]
    stride: UInt8[np.ndarray, "frames people"]


def figures(half: Half) -> Figures:
    """Bodies run where they move, and turn to the ball when they stand or play it."""
    bounds = (*half.scenes, len(half))
    parts = [_scene(half, start, stop) for start, stop in pairwise(bounds)]
    return Figures(
        np.concatenate([part.heading for part in parts]),
        np.concatenate([part.effort for part in parts]),
        np.concatenate([part.stride for part in parts]),
    )


def _scene(half: Half, start: int, stop: int) -> Figures:
    people = half.people[start:stop].astype(np.float64)
    velocity = np.gradient(people, axis=0) * FPS if stop - start > 1 else np.zeros_like(people)
    speed = np.linalg.norm(velocity, axis=2)
    ahead = np.minimum(np.arange(start, stop) + _LOOK_AHEAD_FRAMES, stop - 1)
    to_ball = half.ball[ahead, None, :2] - people
    to_ball /= np.maximum(np.linalg.norm(to_ball, axis=2, keepdims=True), 0.3)
    playing = np.isin(half.poses[start:stop], (Pose.KICK, Pose.THROW, Pose.HOLD, Pose.JUMP))
    still = np.clip(1.6 - speed, 0, 1) + 3.0 * playing
    facing = _smooth(velocity + 1.5 * still[..., None] * to_ball)
    effort = (speed > _WALKING).astype(np.uint8) + (speed > _RUNNING)
    steps = np.cumsum(speed / FPS / np.array(_STEP_METRES)[effort], axis=0)
    steps += np.arange(people.shape[1]) * 0.37
    stride = np.where(effort == 0, 0, (steps % 1.0) * STRIDES)
    return Figures(
        np.arctan2(facing[..., 1], facing[..., 0]).astype(np.float32),
        effort.astype(np.uint8),
        stride.astype(np.uint8),
    )


def _smooth(values: Float[np.ndarray, "frames people 2"]) -> Float[np.ndarray, "frames people 2"]:
    """Exponential average forward and back over time."""
    keep = np.exp(-1 / (_TURN_SECONDS * FPS))
    result = values.copy()
    for order in (range(1, len(values)), range(len(values) - 2, -1, -1)):
        previous = result[order.start - order.step]
        for i in order:
            previous = keep * previous + (1 - keep) * result[i]
            result[i] = previous
    return result
