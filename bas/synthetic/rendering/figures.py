"""Postures derived from movement: heading, gait and stride phase of every person in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32, UInt8

from bas.synthetic.rendering.sprites import NUM_STRIDE_PHASES
from bas.synthetic.simulation.people import Pose
from bas.synthetic.simulation.play import Half
from bas.synthetic.simulation.schedule import FPS

_WALK_SPEED, _RUN_SPEED = 0.5, 3.2
"""Speeds in metres per second from which a person walks or runs."""
_DOUBLE_STEP_METRES = (1.0, 1.6, 3.0)
"""Length of a double step, by gait."""
_LOOKAHEAD_FRAMES = 6
_TURN_SECONDS = 0.12


@dataclass(frozen=True, slots=True)
class Postures:
    """Postures of every person in every frame."""

    heading: Float32[np.ndarray, "frames people"]
    """Facing direction in radians, from the x axis toward the y axis."""
    gait: UInt8[np.ndarray, "frames people"]
    """0 standing, 1 walking, 2 running."""
    stride_phase: UInt8[np.ndarray, "frames people"]
    """Phase of the double step, 0 to NUM_STRIDE_PHASES - 1."""


def postures(half: Half) -> Postures:
    """Derive postures: people face where they move, or the ball when they stand or play it."""
    bounds = (*half.scenes, len(half))
    scenes = [_scene(half, start, stop) for start, stop in pairwise(bounds)]
    return Postures(
        np.concatenate([part.heading for part in scenes]),
        np.concatenate([part.gait for part in scenes]),
        np.concatenate([part.stride_phase for part in scenes]),
    )


def _scene(half: Half, start: int, stop: int) -> Postures:
    people = half.people[start:stop].astype(np.float64)
    velocity = np.gradient(people, axis=0) * FPS if stop - start > 1 else np.zeros_like(people)
    speed = np.linalg.norm(velocity, axis=2)
    later_frames = np.minimum(np.arange(start, stop) + _LOOKAHEAD_FRAMES, stop - 1)
    to_ball = half.ball[later_frames, None, :2] - people
    to_ball /= np.maximum(np.linalg.norm(to_ball, axis=2, keepdims=True), 0.3)
    playing = np.isin(half.poses[start:stop], (Pose.KICK, Pose.THROW, Pose.HOLD, Pose.JUMP))
    # The slower a person is, the more he faces the ball; while playing it, he faces it in any case.
    ball_weight = np.clip(1.6 - speed, 0, 1) + 3.0 * playing
    facing = _smooth(velocity + 1.5 * ball_weight[..., None] * to_ball)
    gait = (speed > _WALK_SPEED).astype(np.uint8) + (speed > _RUN_SPEED)
    double_steps = np.cumsum(speed / FPS / np.array(_DOUBLE_STEP_METRES)[gait], axis=0)
    # An offset per person, so that people who run side by side do not step in unison.
    double_steps += np.arange(people.shape[1]) * 0.37
    stride_phase = np.where(gait == 0, 0, (double_steps % 1.0) * NUM_STRIDE_PHASES)
    return Postures(
        np.arctan2(facing[..., 1], facing[..., 0]).astype(np.float32),
        gait.astype(np.uint8),
        stride_phase.astype(np.uint8),
    )


def _smooth(values: Float[np.ndarray, "frames people 2"]) -> Float[np.ndarray, "frames people 2"]:
    """Smooth exponentially over time, forward and then backward."""
    keep = np.exp(-1 / (_TURN_SECONDS * FPS))  # both directions, so that a turn is not late
    result = values.copy()
    for order in (range(1, len(values)), range(len(values) - 2, -1, -1)):
        previous = result[order.start - order.step]
        for i in order:
            previous = keep * previous + (1 - keep) * result[i]
            result[i] = previous
    return result
