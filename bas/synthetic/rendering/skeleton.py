"""Bodies as capsules between joints, in metres: x forward, y left, z up, origin between the feet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from bas.synthetic.rendering.colors import BOOTS, HAIR, SHIRT, SHORTS, SKIN, SLEEVE, SOCKS
from bas.synthetic.simulation.people import NUM_PHASES, Pose

_FIGURE_SCALE = 1.2
"""Figures are a fifth larger than life, so that legs are visible in a small picture."""
_THIGH, _SHIN, _UPPER_ARM, _FOREARM = 0.46, 0.44, 0.30, 0.27
_HIP, _SHOULDER = 0.92, 1.46


_Joint = Float64[np.ndarray, "3"]


@dataclass(frozen=True, slots=True)
class Capsule:
    """Rounded segment of one color: all points within `radius` of a line."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    part: int


@dataclass(frozen=True, slots=True)
class _Limbs:
    """Joint angles in radians; positive swings forward. In pairs, left comes first."""

    thighs: tuple[float, float] = (0.0, 0.0)
    knees: tuple[float, float] = (0.1, 0.1)
    arms: tuple[float, float] = (0.0, 0.0)
    elbows: tuple[float, float] = (0.3, 0.3)
    spread: float = 0.12
    lean: float = 0.05
    lift: float = 0.0
    """Height of the body above the ground, in metres."""
    pitch: float = 0.0
    """Tilt of the whole body forward (positive) or back, about the feet."""
    roll: float = 0.0
    """Tilt of the whole body to the left, about the feet."""


def build_body(
    pose: Pose, phase: int, gait: int, stride_phase: int, num_stride_phases: int
) -> tuple[Capsule, ...]:
    """Return the capsules of a body.

    Args:
        pose: pose or gesture.
        phase: phase of the gesture, 0 to NUM_PHASES - 1.
        gait: 0 standing, 1 walking, 2 running.
        stride_phase: phase of the double step, 0 to `num_stride_phases` - 1.
        num_stride_phases: number of phases of a double step.
    """
    limbs = (
        _running_limbs(gait, 2 * np.pi * stride_phase / num_stride_phases)
        if pose is Pose.RUN
        else _gesture_limbs(pose, phase)
    )
    return _assemble(limbs)


def _running_limbs(gait: int, angle: float) -> _Limbs:
    swing = (0.0, 0.42, 0.85)[gait]
    bend = (0.05, 0.35, 1.15)[gait]
    left, right = float(np.sin(angle)), float(np.sin(angle + np.pi))
    knees = [bend * max(0.12, float(np.cos(angle + turn))) for turn in (0.0, np.pi)]
    return _Limbs(
        thighs=(swing * left + 0.1 * gait / 2, swing * right + 0.1 * gait / 2),
        knees=(knees[0], knees[1]),
        arms=(-0.9 * swing * left, -0.9 * swing * right),
        elbows=((0.2, 0.5, 1.4)[gait],) * 2,
        lean=(0.02, 0.06, 0.2)[gait],
    )


def _gesture_limbs(pose: Pose, phase: int) -> _Limbs:
    # Each pose interpolates keyframes over this time, in [-1, 1]; angles are in radians.
    time = 2 * phase / (NUM_PHASES - 1) - 1  # contact at 0
    match pose:
        case Pose.KICK:
            swing = float(np.interp(time, (-1, -0.35, 0.15, 0.6, 1), (-0.2, -0.95, 0.55, 1.0, 0.2)))
            knee = float(np.interp(time, (-1, -0.35, 0.1, 1), (0.3, 1.5, 0.15, 0.2)))
            return _Limbs(
                (-0.2, swing), (0.25, knee), (0.7, -0.6), (0.5, 0.5), 0.5, lean=0.12 - 0.2 * max(time, 0)
            )
        case Pose.JUMP:
            up = max(0.0, 1 - time * time)
            nod = float(np.interp(time, (-1, -0.2, 0.2, 1), (0.0, -0.2, 0.3, 0.05)))
            return _Limbs(
                (0.3 * up, -0.3 * up), (0.9 * up, 0.7 * up), (0.5, 0.5), (0.8, 0.8), 0.7, nod, 0.42 * up
            )
        case Pose.HOLD:
            return _Limbs(arms=(2.85, 2.85), elbows=(0.5, 0.5), spread=0.05, lean=-0.05)
        case Pose.THROW:
            reach = float(np.interp(time, (-1, 0, 1), (2.95, 2.6, 0.5)))
            return _Limbs(arms=(reach, reach), elbows=(0.4, 0.4), spread=0.05, lean=0.1 + 0.15 * max(time, 0))
        case Pose.SLIDE:
            down = float(np.interp(time, (-1, -0.4, 0.8, 1), (0.1, 1.0, 1.0, 0.3)))
            return _Limbs(
                (0.2, 1.2 * down), (1.3 * down, 0.1), (0.8, -0.9), (0.5, 0.5), 0.6, 0.1, 0.0, -1.0 * down
            )
        case Pose.FALL:
            down = float(np.interp(time, (-1, 0.1, 0.7, 1), (0.0, 1.0, 1.0, 0.2)))
            return _Limbs((0.5, 0.1), (0.9, 0.4), (1.2, 1.5), (0.4, 0.4), 0.5, 0.1, 0.0, 1.25 * down)
        case Pose.DIVE:
            down = float(np.interp(time, (-1, 0, 0.8, 1), (0.0, 1.1, 1.3, 0.3)))
            lift = 0.35 * max(0.0, 1 - 2 * abs(time))
            return _Limbs((0.2, -0.2), (0.5, 0.3), (2.6, 2.6), (0.2, 0.2), 0.2, 0.0, lift, 0.25 * down, down)
        case Pose.CHEER:
            wave = 0.3 * float(np.sin(phase * 2.1))
            return _Limbs(
                (0.5 * wave, -wave), (0.4, 0.4), (2.7 + wave, 2.7 - wave), (0.2, 0.2), 0.45, lift=0.1 * wave
            )
        case _:
            return _Limbs()


def _assemble(limbs: _Limbs) -> tuple[Capsule, ...]:
    shoulder_x = float(np.sin(limbs.lean)) * (_SHOULDER - _HIP)
    segments: list[tuple[_Joint, _Joint, float, int]] = []
    hip, neck = np.array([0.0, 0, _HIP]), np.array([shoulder_x, 0, _SHOULDER])
    for side, thigh, knee in zip((1, -1), limbs.thighs, limbs.knees, strict=True):
        top = hip + _vector(0.0, 0.10 * side, 0.0)
        joint = top + _limb_vector(_THIGH, thigh, 0.04 * side)
        # A knee bends backward, an elbow forward.
        ankle = joint + _limb_vector(_SHIN, thigh - knee, 0.02 * side)
        toe = ankle + _vector(0.17 * np.cos(thigh - knee), 0.0, 0.12 * np.sin(thigh - knee) - 0.02)
        middle = top + 0.62 * (joint - top)
        segments += [(joint, ankle, 0.062, SOCKS), (ankle, toe, 0.05, BOOTS)]
        segments += [(middle, joint, 0.075, SKIN), (top, middle, 0.105, SHORTS)]
    segments.append((hip + _vector(0.0, 0.0, 0.08), neck - _vector(0.0, 0.0, 0.10), 0.165, SHIRT))
    segments.append((neck + _vector(0.0, 0.12, -0.05), neck + _vector(0.0, -0.12, -0.05), 0.105, SHIRT))
    for side, arm, elbow in zip((1, -1), limbs.arms, limbs.elbows, strict=True):
        top = neck + _vector(0.0, 0.21 * side, -0.04)
        joint = top + _limb_vector(_UPPER_ARM, arm, limbs.spread * side)
        hand = joint + _limb_vector(_FOREARM, arm + elbow, 0.6 * limbs.spread * side)
        segments += [(joint, hand, 0.045, SKIN), (top, joint, 0.06, SLEEVE)]
    head = neck + _vector(0.03, 0.0, 0.22)
    segments += [(neck, head, 0.06, SKIN), (head, head + _vector(0.02, 0.0, 0.0), 0.115, SKIN)]
    segments.append((head + _vector(-0.035, 0.0, 0.045), head + _vector(-0.01, 0.0, 0.06), 0.112, HAIR))
    return tuple(
        Capsule(_tilt(start, limbs), _tilt(end, limbs), radius * _FIGURE_SCALE, part)
        for start, end, radius, part in segments
    )


def _vector(x: float, y: float, z: float) -> _Joint:
    return np.array([x, y, z], np.float64)


def _limb_vector(length: float, angle: float, sideways: float) -> _Joint:
    down = float(np.cos(sideways))
    return length * _vector(
        float(np.sin(angle)) * down, float(np.sin(sideways)), -float(np.cos(angle)) * down
    )


def _tilt(point: _Joint, limbs: _Limbs) -> tuple[float, float, float]:
    x, y, z = point
    x, z = (
        x * np.cos(limbs.pitch) + z * np.sin(limbs.pitch),
        z * np.cos(limbs.pitch) - x * np.sin(limbs.pitch),
    )
    y, z = y * np.cos(limbs.roll) + z * np.sin(limbs.roll), z * np.cos(limbs.roll) - y * np.sin(limbs.roll)
    z = max(z, 0.05) + limbs.lift
    return (_FIGURE_SCALE * float(x), _FIGURE_SCALE * float(y), _FIGURE_SCALE * float(z))
