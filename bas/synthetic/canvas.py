"""Small transparent pictures made of rounded bars with soft edges.

No matrix product here or on the way of a frame: a threaded BLAS slows several rendering processes down threefold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt16

_OFFSETS = np.array([16, 128, 128], np.float32)
"""Of black and gray in limited-range YUV."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Rounded bars: all points within a radius of a line between two ends (x to the right, y up)."""

    starts: Float[np.ndarray, "bars 2"]
    ends: Float[np.ndarray, "bars 2"]
    radii: Float[np.ndarray, "bars"]


@dataclass(frozen=True, slots=True)
class Sprite:
    """Colors already multiplied by their cover, and what the cover leaves of the picture below (of 256)."""

    luma: UInt16[np.ndarray, "rows columns"]
    below: UInt16[np.ndarray, "rows columns"]
    chroma: UInt16[np.ndarray, "two half_rows half_columns"]
    chroma_below: UInt16[np.ndarray, "half_rows half_columns"]
    left: int
    """Columns from the sprite's left edge to its anchor."""
    top: int


@dataclass(frozen=True, slots=True)
class Layers:
    """A picture before it is colored: how much of every inks' light an element shows."""

    light: Float32[np.ndarray, "inks rows columns"]
    cover: Float32[np.ndarray, "rows columns"]
    left: int
    top: int

    def sprite(self, palette: Float32[np.ndarray, "inks 3"]) -> Sprite:
        """Color the layers; `palette` is the YUV of every ink."""
        values = np.empty((4, *self.cover.shape), np.float32)
        values[0] = self.cover
        np.einsum("ic,iyx->cyx", palette - _OFFSETS, self.light, out=values[1:])
        values[1:] += _OFFSETS[:, None, None] * self.cover
        halved = values[:, ::2] + values[:, 1::2]
        halved = (halved[:, :, ::2] + halved[:, :, 1::2]) * np.float32(0.25)
        return Sprite(
            (values[1] + 0.5).astype(np.uint16),
            (256.5 - 256 * values[0]).astype(np.uint16),
            (halved[2:] + 0.5).astype(np.uint16),
            (256.5 - 256 * halved[0]).astype(np.uint16),
            self.left,
            self.top,
        )


def draw(bars: Bars, inks: Int[np.ndarray, "bars"], *, num_inks: int, outline: float) -> Layers:
    """Bars from back to front, lit from the upper left.

    Args:
        bars: what to draw, in picture elements around the anchor.
        inks: ink of every bar.
        num_inks: how many there are.
        outline: how black the edge of the whole is.
    """
    left, top, x, y = _elements(bars, margin=2.0)
    outside, side = _distances(bars, x, y)
    inside = np.clip(0.5 - outside, 0, 1)
    shown = inside * (np.float32(0.84) - np.float32(0.24) * side)
    light = np.zeros((num_inks, *inside.shape[1:]), np.float32)
    below = np.ones(inside.shape[1:], np.float32)
    for ink, uncovered, new in zip(inks.tolist(), 1 - inside, shown, strict=True):
        light *= uncovered
        light[ink] += new
        below *= uncovered
    edge = np.clip(1.0 - outside.min(axis=0), 0, 1) * np.float32(outline)
    return Layers(light, np.maximum(1 - below, edge), left, top)


def shade(bars: Bars, *, darkness: float, softness: float) -> Layers:
    """A shadow in the shape of bars; it needs no ink."""
    left, top, x, y = _elements(bars, margin=1.0 + softness)
    outside, _ = _distances(bars, x, y)
    cover = np.clip(0.5 - outside.min(axis=0) / np.float32(softness), 0, 1) * np.float32(darkness)
    return Layers(np.zeros((0, *cover.shape), np.float32), cover, left, top)


def _elements(
    bars: Bars, *, margin: float
) -> tuple[int, int, Float32[np.ndarray, "columns"], Float32[np.ndarray, "rows 1"]]:
    """Columns and rows before the anchor, and the centers of all elements that bars can touch: even numbers."""
    reach = bars.radii[:, None] + margin
    low = 2 * np.floor((np.minimum(bars.starts, bars.ends) - reach).min(axis=0) / 2).astype(int)
    high = 2 * np.ceil((np.maximum(bars.starts, bars.ends) + reach).max(axis=0) / 2).astype(int)
    x = np.arange(low[0], high[0], dtype=np.float32) + np.float32(0.5)
    y = np.arange(high[1], low[1], -1, dtype=np.float32)[:, None] - np.float32(0.5)
    return -int(low[0]), int(high[1]), x, y


def _distances(
    bars: Bars, x: Float32[np.ndarray, "columns"], y: Float32[np.ndarray, "rows 1"]
) -> tuple[Float32[np.ndarray, "bars rows columns"], Float32[np.ndarray, "bars rows columns"]]:
    """How far outside every bar an element is, and how far to the lower right of its line, in radii."""
    start, axis, radius = (
        np.asarray(values, np.float32)[..., None, None]
        for values in (bars.starts, bars.ends - bars.starts, bars.radii)
    )
    x, y = x - start[:, 0], y - start[:, 1]
    squared = np.maximum((axis**2).sum(axis=1), np.float32(1e-6))
    along = x * (axis[:, 0] / squared) + y * (axis[:, 1] / squared)
    np.clip(along, 0, 1, out=along)
    x, y = x - along * axis[:, 0], y - along * axis[:, 1]
    side = (np.float32(0.8) * x - np.float32(0.5) * y) / radius
    return np.sqrt(x * x + y * y) - radius, side
