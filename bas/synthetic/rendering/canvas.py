"""Small transparent sprites drawn from antialiased strokes with round caps.

Neither this module nor any other code that renders a frame uses a matrix product. With several rendering processes,
a threaded BLAS makes everything three times slower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt16

_BLACK = np.array([16, 128, 128], np.float32)
"""YUV of black in limited range."""


@dataclass(frozen=True, slots=True)
class Strokes:
    """Strokes with round caps: all points within `radii` of a line segment (x to the right, y up), in pixels."""

    starts: Float[np.ndarray, "strokes 2"]
    ends: Float[np.ndarray, "strokes 2"]
    radii: Float[np.ndarray, "strokes"]


@dataclass(frozen=True, slots=True)
class Sprite:
    """Colors premultiplied by alpha, and the weight of the picture below: 256 * (1 - alpha)."""

    luma: UInt16[np.ndarray, "rows columns"]
    transparency: UInt16[np.ndarray, "rows columns"]
    chroma: UInt16[np.ndarray, "two half_rows half_columns"]
    chroma_transparency: UInt16[np.ndarray, "half_rows half_columns"]
    left: int
    """Columns from the sprite's left edge to its anchor."""
    top: int
    """Rows from the sprite's top edge to its anchor."""


@dataclass(frozen=True, slots=True)
class ColorLayers:
    """A sprite before coloring: the brightness of each palette color in every pixel, and alpha."""

    light: Float32[np.ndarray, "colors rows columns"]
    alpha: Float32[np.ndarray, "rows columns"]
    left: int
    top: int

    def sprite(self, palette: Float32[np.ndarray, "colors 3"]) -> Sprite:
        """Apply a palette of YUV colors."""
        values = np.empty((4, *self.alpha.shape), np.float32)
        values[0] = self.alpha
        np.einsum("ic,iyx->cyx", palette - _BLACK, self.light, out=values[1:])
        values[1:] += _BLACK[:, None, None] * self.alpha
        # 4:2:0 chroma is the mean of two by two pixels; alpha and colors are averaged alike, being premultiplied.
        halved = values[:, ::2] + values[:, 1::2]
        halved = (halved[:, :, ::2] + halved[:, :, 1::2]) * np.float32(0.25)
        # Rounded; transparency counts in 256ths, so that blending is one product and a shift by 8 bits.
        return Sprite(
            (values[1] + 0.5).astype(np.uint16),
            (256.5 - 256 * values[0]).astype(np.uint16),
            (halved[2:] + 0.5).astype(np.uint16),
            (256.5 - 256 * halved[0]).astype(np.uint16),
            self.left,
            self.top,
        )


def draw_strokes(
    strokes: Strokes, color_indices: Int[np.ndarray, "strokes"], *, num_colors: int, outline: float
) -> ColorLayers:
    """Draw strokes from back to front, lit from the upper left.

    Args:
        strokes: strokes around the anchor.
        color_indices: palette index of each stroke.
        num_colors: number of colors in the palette.
        outline: opacity of the black outline around all strokes together, 0 to 1.
    """
    left, top, x, y = _pixel_grid(strokes, margin=2.0)
    distance, lower_right = _distances(strokes, x, y)
    inside = np.clip(0.5 - distance, 0, 1)
    shaded = inside * (np.float32(0.84) - np.float32(0.24) * lower_right)
    light = np.zeros((num_colors, *inside.shape[1:]), np.float32)
    transparency = np.ones(inside.shape[1:], np.float32)
    for color, remaining, new in zip(color_indices.tolist(), 1 - inside, shaded, strict=True):
        light *= remaining
        light[color] += new
        transparency *= remaining
    # The outline adds alpha without light, which darkens the edge.
    edge = np.clip(1.0 - distance.min(axis=0), 0, 1) * np.float32(outline)
    return ColorLayers(light, np.maximum(1 - transparency, edge), left, top)


def draw_shadow(strokes: Strokes, *, darkness: float, softness: float) -> ColorLayers:
    """Draw a black shadow in the shape of the strokes; its palette is empty."""
    left, top, x, y = _pixel_grid(strokes, margin=1.0 + softness)
    distance, _ = _distances(strokes, x, y)
    alpha = np.clip(0.5 - distance.min(axis=0) / np.float32(softness), 0, 1) * np.float32(darkness)
    return ColorLayers(np.zeros((0, *alpha.shape), np.float32), alpha, left, top)


def _pixel_grid(
    strokes: Strokes, *, margin: float
) -> tuple[int, int, Float32[np.ndarray, "columns"], Float32[np.ndarray, "rows 1"]]:
    """Return columns and rows before the anchor, and the pixel centers that strokes can touch.

    All sizes are even, so that chroma planes have half as many rows and columns.
    """
    extent = strokes.radii[:, None] + margin
    low = 2 * np.floor((np.minimum(strokes.starts, strokes.ends) - extent).min(axis=0) / 2).astype(int)
    high = 2 * np.ceil((np.maximum(strokes.starts, strokes.ends) + extent).max(axis=0) / 2).astype(int)
    x = np.arange(low[0], high[0], dtype=np.float32) + np.float32(0.5)
    y = np.arange(high[1], low[1], -1, dtype=np.float32)[:, None] - np.float32(0.5)
    return -int(low[0]), int(high[1]), x, y


def _distances(
    strokes: Strokes, x: Float32[np.ndarray, "columns"], y: Float32[np.ndarray, "rows 1"]
) -> tuple[Float32[np.ndarray, "strokes rows columns"], Float32[np.ndarray, "strokes rows columns"]]:
    """Return each pixel's signed distance from each stroke's edge, and its offset to the lower right in radii."""
    start, axis, radius = (
        np.asarray(values, np.float32)[..., None, None]
        for values in (strokes.starts, strokes.ends - strokes.starts, strokes.radii)
    )
    # Axes: (strokes, rows, columns). `along`: nearest point of the segment, 0 at its start, 1 at its end.
    x, y = x - start[:, 0], y - start[:, 1]
    squared = np.maximum((axis**2).sum(axis=1), np.float32(1e-6))
    along = x * (axis[:, 0] / squared) + y * (axis[:, 1] / squared)
    np.clip(along, 0, 1, out=along)
    x, y = x - along * axis[:, 0], y - along * axis[:, 1]
    lower_right = (np.float32(0.8) * x - np.float32(0.5) * y) / radius
    return np.sqrt(x * x + y * y) - radius, lower_right
