"""Text rendering with Pillow's built-in font, and compositing onto yuv420p pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Color = tuple[int, int, int]

WHITE, GRAY, DARK, BLACK = (240, 240, 240), (150, 155, 165), (24, 27, 33), (0, 0, 0)
YELLOW, GREEN, RED, ORANGE = (250, 205, 60), (60, 190, 95), (225, 70, 70), (245, 140, 40)
BLUE, LEFT, RIGHT = (80, 160, 250), (80, 160, 250), (245, 130, 190)


@dataclass(frozen=True, slots=True)
class YuvPlanes:
    """Writable planes of a yuv420p picture."""

    y: UInt8[np.ndarray, "height width"]
    u: UInt8[np.ndarray, "half_height half_width"]
    v: UInt8[np.ndarray, "half_height half_width"]


def unpack_planes(packed: UInt8[np.ndarray, "rows width"]) -> YuvPlanes:
    """Planes as views of a packed yuv420p picture, which has 3/2 as many rows as the picture is high."""
    rows, width = packed.shape
    height = rows * 2 // 3
    flat = packed.reshape(-1)
    luma, chroma = height * width, height * width // 4
    shape = height // 2, width // 2
    return YuvPlanes(
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(shape),
        flat[luma + chroma :].reshape(shape),
    )


def paint(target: YuvPlanes, piece: YuvPlanes, *, left: int, top: int) -> None:
    """Copy a piece onto a picture, at even coordinates because chroma has half resolution; clip what lies outside."""
    left, top = left // 2 * 2, top // 2 * 2
    height, width = (
        min(a, b)
        for a, b in zip(piece.y.shape, (target.y.shape[0] - top, target.y.shape[1] - left), strict=True)
    )
    target.y[top : top + height, left : left + width] = piece.y[:height, :width]
    half = np.s_[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
    clipped = np.s_[: height // 2, : width // 2]
    target.u[half], target.v[half] = piece.u[clipped], piece.v[clipped]


def planes_from_rgb(rgb: UInt8[np.ndarray, "height width 3"]) -> YuvPlanes:
    """Convert an RGB picture of even size."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    packed: UInt8[np.ndarray, "rows width"] = frame.reformat(format="yuv420p").to_ndarray()
    return unpack_planes(packed)


@lru_cache(maxsize=512)
def chip(text: str, *, size: int, color: Color, background: Color) -> YuvPlanes:
    """A line of text on a plain background with a margin, of even size."""
    return planes_from_rgb(
        text_picture(text, size=size, color=color, background=background, margin=size // 3)
    )


@lru_cache(maxsize=512)
def text_picture(
    text: str, *, size: int, color: Color, background: Color, margin: int = 0
) -> UInt8[np.ndarray, "height width 3"]:
    """A line of text as an RGB picture of even size."""
    from PIL import Image, ImageDraw

    font = _font(size)
    width = round(font.getlength(text)) + 2 * margin + 1
    height = round(1.25 * size) + margin
    image = Image.new("RGB", ((width + 1) // 2 * 2, (height + 1) // 2 * 2), background)
    ImageDraw.Draw(image).text((margin, height / 2), text, fill=color, font=font, anchor="lm")
    return np.asarray(image)


def text_width(text: str, *, size: int) -> int:
    """Width of a line of text in pixels."""
    return round(_font(size).getlength(text)) + 1


@lru_cache(maxsize=16)
def _font(size: int) -> FreeTypeFont:
    """Pillow's built-in font, which does not depend on system fonts."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow lacks FreeType, which its wheels include"
    return font
