"""A small transparent picture on which rounded bars are drawn with soft edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt16

from bas.synthetic.colors import to_yuv


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
class Bar:
    """A rounded bar: everything within `radius` of a line between two points (x to the right, y up)."""

    start: Float[np.ndarray, "2"]
    end: Float[np.ndarray, "2"]
    radius: float


@dataclass(frozen=True, slots=True)
class Canvas:
    """RGB (0..255) multiplied by its cover, and the cover, around an anchor."""

    color: Float32[np.ndarray, "rows columns 3"]
    cover: Float32[np.ndarray, "rows columns"]
    left: int
    """Columns from the left edge to the anchor."""
    top: int

    @classmethod
    def around(cls, points: Float[np.ndarray, "points 2"], margin: float) -> Canvas:
        """An empty canvas that holds all points with a margin."""
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        left, top = int(np.ceil(-low[0])), int(np.ceil(high[1]))
        shape = (top + int(np.ceil(-low[1])), left + int(np.ceil(high[0])))
        return cls(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32), left, top)

    def draw(self, bar: Bar, color: Float32[np.ndarray, "3"]) -> None:
        """Lay a bar over what is there, lit from the upper left."""
        rows, columns = self._window(bar, 1.0)
        distance, side = self._distance(bar, rows, columns)
        inside = np.clip(bar.radius + 0.5 - distance, 0, 1)
        light = inside * (0.86 - np.float32(0.22 / bar.radius) * side)
        part = self.color[rows, columns]
        part *= (1 - inside)[..., None]
        part += light[..., None] * color
        np.clip(part, 0, 255, out=part)
        cover = self.cover[rows, columns]
        cover += inside * (1 - cover)

    def darken(self, bar: Bar, *, soft: float, grown: float, darkness: float) -> None:
        """Cover with black where a bar is, `grown` wider than itself, with an edge of `soft` to both sides."""
        rows, columns = self._window(bar, grown + soft)
        distance, _ = self._distance(bar, rows, columns)
        inside = np.clip((bar.radius + grown + soft - distance) * np.float32(0.5 / soft), 0, 1)
        inside *= np.float32(darkness)
        cover = self.cover[rows, columns]
        np.maximum(cover, inside, out=cover)

    def sprite(self, parity: tuple[int, int]) -> Sprite:
        """What can be laid over a frame at an anchor whose column and row are even (0) or odd (1)."""
        left, top = (self.left + parity[0]) % 2, (self.top + parity[1]) % 2
        rows, columns = self.cover.shape
        margins = ((top, (top + rows) % 2), (left, (left + columns) % 2))
        cover = np.pad(self.cover, margins)
        below = 1 - cover
        yuv = to_yuv(np.pad(self.color, (*margins, (0, 0)))).astype(np.float32)
        yuv -= np.array([16, 128, 128], np.float32) * below[..., None]
        return Sprite(
            np.rint(yuv[..., 0].clip(0, 255)).astype(np.uint16),
            np.rint(256 * below).astype(np.uint16),
            np.rint(np.moveaxis(_halved(yuv[..., 1:]), -1, 0).clip(0, 255)).astype(np.uint16),
            np.rint(256 * _halved(below)).astype(np.uint16),
            self.left + left,
            self.top + top,
        )

    def _window(self, bar: Bar, margin: float) -> tuple[slice, slice]:
        """The part of the canvas that a bar can touch."""
        reach = bar.radius + margin
        rows, columns = self.cover.shape
        (x0, y0), (x1, y1) = np.minimum(bar.start, bar.end) - reach, np.maximum(bar.start, bar.end) + reach
        top, bottom = max(int(self.top - y1), 0), min(int(self.top - y0) + 2, rows)
        left, right = max(int(self.left + x0), 0), min(int(self.left + x1) + 2, columns)
        return slice(top, bottom), slice(left, right)

    def _distance(
        self, bar: Bar, rows: slice, columns: slice
    ) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "rows columns"]]:
        """Of every element from the bar's line, and how far to the lower right of it."""
        axis = bar.end - bar.start
        x = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(
            0.5 - self.left - bar.start[0]
        )
        y = (
            np.float32(self.top - 0.5 - bar.start[1])
            - np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        )
        squared = float(axis @ axis)
        if squared < 1e-6:
            return np.hypot(x, y), 0.8 * x - 0.5 * y
        ahead, up = np.float32(axis[0]), np.float32(axis[1])
        along = np.clip((x * ahead + y * up) / np.float32(squared), 0, 1)
        x, y = x - along * ahead, y - along * up
        return np.sqrt(x * x + y * y), 0.8 * x - 0.5 * y


def _halved(
    values: Float32[np.ndarray, "rows columns *rest"],
) -> Float32[np.ndarray, "half_rows half_columns *rest"]:
    rows = values[::2] + values[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) / 4
