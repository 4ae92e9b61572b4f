"""Cached sprites of bodies, balls, goal posts and their shadows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32

from bas.synthetic.rendering.canvas import ColorLayers, Sprite, Strokes, draw_shadow, draw_strokes
from bas.synthetic.rendering.colors import NUM_PARTS, Kit, to_yuv
from bas.synthetic.rendering.skeleton import Capsule, build_body
from bas.synthetic.simulation.people import Pose

NUM_HEADINGS = 16
NUM_STRIDE_PHASES = 8
BALL_STEPS = 3
SUN = (0.42, 0.30)
"""Shadow offset per metre of height, in metres: to the right, and away from the camera."""
_ELEVATION = np.radians(25.0)
"""Angle at which the cameras look down, nearly the same for all."""
_SHADOW_DARKNESS = 0.42
_MIN_SHADOW_RADIUS = 0.07
_SCALE_STEP = 1.12
_CACHE_SIZE = 4000
"""Maximum number of cached sprites of each kind: at most 300 MB for the largest pictures."""


@dataclass(frozen=True, slots=True)
class FigureKey:
    """Cache key of a body's sprite: its posture, heading and size, quantized coarsely enough to recur."""

    pose: Pose
    phase: int
    gait: int
    stride_phase: int
    heading: int
    """Heading in NUM_HEADINGS steps: 0 faces right in the picture; a quarter turn later faces away."""
    scale: int
    """Size in logarithmic steps."""


def scale_step(pixels_per_metre: float) -> int:
    """Return the logarithmic step (`FigureKey.scale`) nearest to a size."""
    return round(float(np.log(pixels_per_metre) / np.log(_SCALE_STEP)))


@lru_cache(maxsize=_CACHE_SIZE)
def figure(key: FigureKey, kit: Kit) -> Sprite:
    """Return the sprite of a body in its kit, anchored between its feet."""
    return _figure_layers(key).sprite(_palette(kit))


@lru_cache(maxsize=_CACHE_SIZE)
def shadow(key: FigureKey) -> Sprite:
    """Return the sprite of a body's shadow on the grass; its thinnest parts cast none."""
    capsules = [
        c
        for c in _cached_body(key.pose, key.phase, key.gait, key.stride_phase)
        if c.radius > _MIN_SHADOW_RADIUS
    ]
    starts, ends = (_cast_shadow(_rotate(points, key.heading)) for points in _endpoints(capsules))
    scale = _SCALE_STEP**key.scale
    radii = np.array([capsule.radius for capsule in capsules]) * 0.8
    strokes = Strokes(starts * scale, ends * scale, radii * scale)
    return draw_shadow(strokes, darkness=_SHADOW_DARKNESS, softness=1.4).sprite(_EMPTY_PALETTE)


@lru_cache(maxsize=_CACHE_SIZE)
def ball(radius: int, column: int, row: int) -> Sprite:
    """Return the sprite of a ball centered at a point in the first block of 2 x 2 pixels.

    All arguments are in units of 1 / BALL_STEPS pixel. Positions below one pixel make a slow ball move smoothly.
    """
    center = np.array([[column, -row]]) / BALL_STEPS
    strokes = Strokes(center, center, np.array([radius / BALL_STEPS]))
    return draw_strokes(strokes, np.array([0]), num_colors=1, outline=0.6).sprite(_WHITE)


@lru_cache(maxsize=_CACHE_SIZE)
def ball_shadow(radius: int) -> Sprite:
    """Return the sprite of a ball's shadow, slightly wider than high; `radius` is in units of 1 / BALL_STEPS pixel."""
    half_axis = np.array([[0.8 * radius / BALL_STEPS, 0.0]])
    strokes = Strokes(-half_axis, half_axis, np.array([0.6 * radius / BALL_STEPS]))
    return draw_shadow(strokes, darkness=0.55, softness=1.2).sprite(_EMPTY_PALETTE)


def posts(ends: Float[np.ndarray, "ends 2"], radii: Float[np.ndarray, "ends"]) -> Sprite:
    """Return the sprite of white posts between pairs of points (column, row)."""
    points = ends * (1, -1)
    strokes = Strokes(points[::2], points[1::2], np.maximum(radii[::2], 0.7))
    return draw_strokes(strokes, np.zeros(len(strokes.radii), int), num_colors=1, outline=0.0).sprite(_WHITE)


@lru_cache(maxsize=_CACHE_SIZE)
def _figure_layers(key: FigureKey) -> ColorLayers:
    capsules = _cached_body(key.pose, key.phase, key.gait, key.stride_phase)
    starts, ends = (_project(_rotate(points, key.heading)) for points in _endpoints(capsules))
    # Far capsules first, so that near ones cover them; a stable order keeps the bytes reproducible.
    order = np.argsort(-(starts[:, 2] + ends[:, 2]), kind="stable")
    scale = _SCALE_STEP**key.scale
    radii = np.array([capsule.radius for capsule in capsules])[order]
    strokes = Strokes(starts[order, :2] * scale, ends[order, :2] * scale, np.maximum(radii * scale, 0.6))
    parts = np.array([capsule.part for capsule in capsules])[order]
    return draw_strokes(strokes, parts, num_colors=NUM_PARTS, outline=min(1.0, scale / 16) * 0.7)


@lru_cache(maxsize=1000)
def _cached_body(pose: Pose, phase: int, gait: int, stride_phase: int) -> tuple[Capsule, ...]:
    return build_body(pose, phase, gait, stride_phase, NUM_STRIDE_PHASES)


def _endpoints(
    capsules: Iterable[Capsule],
) -> tuple[Float[np.ndarray, "capsules 3"], Float[np.ndarray, "capsules 3"]]:
    starts, ends = zip(*((capsule.start, capsule.end) for capsule in capsules), strict=True)
    return np.array(starts), np.array(ends)


def _rotate(points: Float[np.ndarray, "capsules 3"], heading: int) -> Float[np.ndarray, "capsules 3"]:
    """Rotate body coordinates by a heading: to the right, away from the camera, up."""
    angle = 2 * np.pi * heading / NUM_HEADINGS
    x, y, z = points.T
    return np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z], axis=1)


def _project(points: Float[np.ndarray, "capsules 3"]) -> Float[np.ndarray, "capsules 3"]:
    """Project to the picture: right, up, and depth."""
    right, away, up = points.T
    # A camera that looks down sees ground distance foreshortened by sin, height by cos.
    rise = away * np.sin(_ELEVATION) + up * np.cos(_ELEVATION)
    return np.stack([right, rise, away * np.cos(_ELEVATION) - up * np.sin(_ELEVATION)], axis=1)


def _cast_shadow(points: Float[np.ndarray, "capsules 3"]) -> Float[np.ndarray, "capsules 2"]:
    right, away, up = points.T
    return np.stack([right + SUN[0] * up, (away + SUN[1] * up) * np.sin(_ELEVATION)], axis=1)


@lru_cache(maxsize=100)
def _palette(kit: Kit) -> Float32[np.ndarray, "colors 3"]:
    return to_yuv(np.array(kit.part_colors, np.float32)).astype(np.float32)


_WHITE = to_yuv(np.array([[252, 252, 248]], np.float32)).astype(np.float32)
_EMPTY_PALETTE = np.zeros((0, 3), np.float32)
