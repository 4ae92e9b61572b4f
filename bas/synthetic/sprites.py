"""Small pictures of bodies and balls with soft edges, ready to be laid over a frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from bas.synthetic.canvas import Bar, Canvas, Sprite
from bas.synthetic.colors import Kit
from bas.synthetic.poses import Pose
from bas.synthetic.skeleton import Capsule, body

HEADINGS = 16
STRIDES = 8
_ELEVATION = np.radians(25.0)
"""At which the cameras look down, nearly the same everywhere."""
SUN = (0.42, 0.30)
"""Metres to the right and away from the camera that a metre of height throws its shadow."""
_SHADOW_DARKNESS = 0.42
_SCALE_STEP = 1.08
_SPRITES = 4000
"""Kept of each kind: at most 200 MB for the largest pictures."""


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


Parity = tuple[int, int]
"""Whether column and row of the anchor are odd: chroma has half the resolution."""


def scale_step(elements_a_metre: float) -> int:
    """The step of `Look.scale` nearest to a size."""
    return round(float(np.log(elements_a_metre) / np.log(_SCALE_STEP)))


@lru_cache(maxsize=_SPRITES)
def figure(look: Look, kit: Kit, parity: Parity) -> Sprite:
    """A body in its kit, anchored between its feet."""
    return _figure(look, kit).sprite(parity)


@lru_cache(maxsize=_SPRITES)
def shadow(look: Look, parity: Parity) -> Sprite:
    """What a body takes from the light on the grass."""
    return _shadow(look).sprite(parity)


@lru_cache(maxsize=_SPRITES)
def _figure(look: Look, kit: Kit) -> Canvas:
    scale = _SCALE_STEP**look.scale
    capsules = _capsules(look)
    starts, ends = (
        np.array([_seen(_turned(getattr(c, end), look.heading)) for c in capsules]) for end in _ENDS
    )
    radii = np.array([c.radius * scale for c in capsules])
    canvas = Canvas.around(np.r_[starts[:, :2], ends[:, :2]] * scale, float(radii.max()) + 2)
    parts = np.array(kit.parts, np.float32)
    outline = min(1.0, scale / 16) * 0.75
    order = np.argsort(-(starts[:, 2] + ends[:, 2]))
    bars = [Bar(starts[i, :2] * scale, ends[i, :2] * scale, float(radii[i])) for i in order]
    for bar in bars:
        canvas.darken(bar, soft=0.5, grown=0.5, darkness=outline)
    for bar, i in zip(bars, order, strict=True):
        canvas.draw(bar, parts[capsules[i].part])
    return canvas


@lru_cache(maxsize=_SPRITES)
def _shadow(look: Look) -> Canvas:
    scale = _SCALE_STEP**look.scale
    capsules = _capsules(look)
    starts, ends = (
        np.array([_cast(_turned(getattr(c, end), look.heading)) for c in capsules]) for end in _ENDS
    )
    radii = np.array([c.radius for c in capsules]) * 0.8 * scale
    canvas = Canvas.around(np.r_[starts, ends] * scale, float(radii.max()) + 2)
    for start, end, radius in zip(starts * scale, ends * scale, radii, strict=True):
        canvas.darken(Bar(start, end, float(radius)), soft=0.7, grown=0.0, darkness=_SHADOW_DARKNESS)
    return canvas


def ball(radius: float, column: float, row: float) -> Sprite:
    """A ball of `radius` picture elements around a point that lies between elements."""
    center = np.array([column % 2, -(row % 2)])
    canvas = Canvas.around(center[None], radius + 3)
    canvas.darken(Bar(center, center, radius), soft=0.5, grown=0.7, darkness=0.5)
    canvas.draw(Bar(center, center, radius), np.array([250, 250, 246], np.float32))
    return canvas.sprite((0, 0))


def ball_shadow(radius: float, column: float, row: float) -> Sprite:
    """The shadow of a ball: flat and a little long."""
    center = np.array([column % 2, -(row % 2)])
    reach = np.array([0.8 * radius, 0.0])
    canvas = Canvas.around(np.array([center - reach, center + reach]), radius + 2)
    canvas.darken(Bar(center - reach, center + reach, 0.6 * radius), soft=0.6, grown=0.0, darkness=0.55)
    return canvas.sprite((0, 0))


def posts(ends: Float[np.ndarray, "ends 2"], radii: Float[np.ndarray, "ends"]) -> Sprite:
    """White bars between pairs of points (column, row)."""
    points = ends * (1, -1)
    canvas = Canvas.around(points, float(radii.max()) + 2)
    for start, end, radius in zip(points[::2], points[1::2], radii[::2], strict=True):
        canvas.draw(Bar(start, end, max(float(radius), 0.7)), np.array([246, 246, 244], np.float32))
    return canvas.sprite((0, 0))


_ENDS = ("start", "end")


def _capsules(look: Look) -> tuple[Capsule, ...]:
    return _body(look.pose, look.phase, look.effort, look.stride)


@lru_cache(maxsize=1000)
def _body(pose: Pose, phase: int, effort: int, stride: int) -> tuple[Capsule, ...]:
    return body(pose, phase, effort, stride, STRIDES)


def _turned(point: tuple[float, float, float], heading: int) -> tuple[float, float, float]:
    """To the right, away from the camera, up."""
    angle = 2 * np.pi * heading / HEADINGS
    x, y, z = point
    return (x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z)


def _seen(point: tuple[float, float, float]) -> tuple[float, float, float]:
    """Right and up in the picture, and how far away."""
    right, away, up = point
    return (right, away * np.sin(_ELEVATION) + up * np.cos(_ELEVATION), away * np.cos(_ELEVATION) - 0.3 * up)


def _cast(point: tuple[float, float, float]) -> tuple[float, float]:
    right, away, up = point
    return (right + SUN[0] * up, (away + SUN[1] * up) * np.sin(_ELEVATION))
