"""Pictures of bodies, balls, goal posts and their shadows, kept as long as they are met again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32

from bas.synthetic.canvas import Bars, Layers, Sprite, draw, shade
from bas.synthetic.colors import NUM_PARTS, Kit, to_yuv
from bas.synthetic.poses import Pose
from bas.synthetic.skeleton import Capsule, body

HEADINGS = 16
STRIDES = 8
BALL_STEPS = 3
SUN = (0.42, 0.30)
"""Metres to the right and away from the camera that a metre of height throws its shadow."""
_ELEVATION = np.radians(25.0)
"""At which the cameras look down, nearly the same everywhere."""
_SHADOW_DARKNESS = 0.42
_THINNEST_METRES = 0.07
_SCALE_STEP = 1.12
_SPRITES = 4000
"""Kept of each kind: at most 300 MB for the largest pictures."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a body looks like in one frame, in steps coarse enough to be met again."""

    pose: Pose
    phase: int
    effort: int
    stride: int
    heading: int
    """Steps of the circle from facing right, turning toward facing away."""
    scale: int
    """Logarithmic step of the size."""


def scale_step(elements_a_metre: float) -> int:
    """The step of `Look.scale` nearest to a size."""
    return round(float(np.log(elements_a_metre) / np.log(_SCALE_STEP)))


@lru_cache(maxsize=_SPRITES)
def figure(look: Look, kit: Kit) -> Sprite:
    """A body in its kit, anchored between its feet."""
    return _figure(look).sprite(_palette(kit))


@lru_cache(maxsize=_SPRITES)
def shadow(look: Look) -> Sprite:
    """What a body takes from the light on the grass; its thinnest parts throw none."""
    capsules = [
        c for c in _body(look.pose, look.phase, look.effort, look.stride) if c.radius > _THINNEST_METRES
    ]
    starts, ends = (_cast(_turned(points, look.heading)) for points in _joints(capsules))
    scale = _SCALE_STEP**look.scale
    radii = np.array([capsule.radius for capsule in capsules]) * 0.8
    bars = Bars(starts * scale, ends * scale, radii * scale)
    return shade(bars, darkness=_SHADOW_DARKNESS, softness=1.4).sprite(_NO_INK)


@lru_cache(maxsize=_SPRITES)
def ball(radius: int, column: int, row: int) -> Sprite:
    """A ball, all in steps of `BALL_STEPS` a picture element, around a point of the first two by two elements."""
    center = np.array([[column, -row]]) / BALL_STEPS
    bars = Bars(center, center, np.array([radius / BALL_STEPS]))
    return draw(bars, np.array([0]), num_inks=1, outline=0.6).sprite(_WHITE)


@lru_cache(maxsize=_SPRITES)
def ball_shadow(radius: int) -> Sprite:
    """The shadow of a ball, flat and a little long; `radius` in the same steps."""
    reach = np.array([[0.8 * radius / BALL_STEPS, 0.0]])
    bars = Bars(-reach, reach, np.array([0.6 * radius / BALL_STEPS]))
    return shade(bars, darkness=0.55, softness=1.2).sprite(_NO_INK)


def posts(ends: Float[np.ndarray, "ends 2"], radii: Float[np.ndarray, "ends"]) -> Sprite:
    """White bars between pairs of points (column, row)."""
    points = ends * (1, -1)
    bars = Bars(points[::2], points[1::2], np.maximum(radii[::2], 0.7))
    return draw(bars, np.zeros(len(bars.radii), int), num_inks=1, outline=0.0).sprite(_WHITE)


@lru_cache(maxsize=_SPRITES)
def _figure(look: Look) -> Layers:
    capsules = _body(look.pose, look.phase, look.effort, look.stride)
    starts, ends = (_seen(_turned(points, look.heading)) for points in _joints(capsules))
    order = np.argsort(-(starts[:, 2] + ends[:, 2]), kind="stable")
    scale = _SCALE_STEP**look.scale
    radii = np.array([capsule.radius for capsule in capsules])[order]
    bars = Bars(starts[order, :2] * scale, ends[order, :2] * scale, np.maximum(radii * scale, 0.6))
    parts = np.array([capsule.part for capsule in capsules])[order]
    return draw(bars, parts, num_inks=NUM_PARTS, outline=min(1.0, scale / 16) * 0.7)


@lru_cache(maxsize=1000)
def _body(pose: Pose, phase: int, effort: int, stride: int) -> tuple[Capsule, ...]:
    return body(pose, phase, effort, stride, STRIDES)


def _joints(capsules: Iterable[Capsule]) -> tuple[Float[np.ndarray, "bars 3"], Float[np.ndarray, "bars 3"]]:
    starts, ends = zip(*((capsule.start, capsule.end) for capsule in capsules), strict=True)
    return np.array(starts), np.array(ends)


def _turned(points: Float[np.ndarray, "bars 3"], heading: int) -> Float[np.ndarray, "bars 3"]:
    """To the right, away from the camera, up."""
    angle = 2 * np.pi * heading / HEADINGS
    x, y, z = points.T
    return np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z], axis=1)


def _seen(points: Float[np.ndarray, "bars 3"]) -> Float[np.ndarray, "bars 3"]:
    """Right and up in the picture, and how far away."""
    right, away, up = points.T
    rise = away * np.sin(_ELEVATION) + up * np.cos(_ELEVATION)
    return np.stack([right, rise, away * np.cos(_ELEVATION) - up * np.sin(_ELEVATION)], axis=1)


def _cast(points: Float[np.ndarray, "bars 3"]) -> Float[np.ndarray, "bars 2"]:
    right, away, up = points.T
    return np.stack([right + SUN[0] * up, (away + SUN[1] * up) * np.sin(_ELEVATION)], axis=1)


@lru_cache(maxsize=100)
def _palette(kit: Kit) -> Float32[np.ndarray, "inks 3"]:
    return to_yuv(np.array(kit.parts, np.float32)).astype(np.float32)


_WHITE = to_yuv(np.array([[252, 252, 248]], np.float32)).astype(np.float32)
_NO_INK = np.zeros((0, 3), np.float32)
