"""Text and curves as pixels: Pillow's built-in font, and planes of yuv420p to put them on."""

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
class Planes:
    """A yuv420p picture that may be painted on."""

    y: UInt8[np.ndarray, "height width"]
    u: UInt8[np.ndarray, "half_height half_width"]
    v: UInt8[np.ndarray, "half_height half_width"]


def planes_of(packed: UInt8[np.ndarray, "rows width"]) -> Planes:
    """Views of a packed yuv420p picture, whose rows are 3/2 of its height."""
    rows, width = packed.shape
    height = rows * 2 // 3
    flat = packed.reshape(-1)
    luma, chroma = height * width, height * width // 4
    shape = height // 2, width // 2
    return Planes(
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(shape),
        flat[luma + chroma :].reshape(shape),
    )


def paint(target: Planes, piece: Planes, *, left: int, top: int) -> None:
    """Put a piece at an even place; what would lie outside is cut off."""
    left, top = left // 2 * 2, top // 2 * 2
    height, width = (
        min(a, b)
        for a, b in zip(piece.y.shape, (target.y.shape[0] - top, target.y.shape[1] - left), strict=True)
    )
    target.y[top : top + height, left : left + width] = piece.y[:height, :width]
    half = np.s_[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
    cut = np.s_[: height // 2, : width // 2]
    target.u[half], target.v[half] = piece.u[cut], piece.v[cut]


def from_rgb(rgb: UInt8[np.ndarray, "height width 3"]) -> Planes:
    """The planes of an RGB picture of even size."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    packed: UInt8[np.ndarray, "rows width"] = frame.reformat(format="yuv420p").to_ndarray()
    return planes_of(packed)


@lru_cache(maxsize=512)
def chip(text: str, *, size: int, ink: Color, paper: Color) -> Planes:
    """A line of text on a plain ground, with a margin, of even size."""
    return from_rgb(text_picture(text, size=size, ink=ink, paper=paper, margin=size // 3))


@lru_cache(maxsize=512)
def text_picture(
    text: str, *, size: int, ink: Color, paper: Color, margin: int = 0
) -> UInt8[np.ndarray, "height width 3"]:
    """A line of text as RGB, of even size."""
    from PIL import Image, ImageDraw

    font = _font(size)
    width = round(font.getlength(text)) + 2 * margin + 1
    height = round(1.25 * size) + margin
    image = Image.new("RGB", ((width + 1) // 2 * 2, (height + 1) // 2 * 2), paper)
    ImageDraw.Draw(image).text((margin, height / 2), text, fill=ink, font=font, anchor="lm")
    return np.asarray(image)


def text_width(text: str, *, size: int) -> int:
    """Pixels of a line of text."""
    return round(_font(size).getlength(text)) + 1


@lru_cache(maxsize=16)
def _font(size: int) -> FreeTypeFont:
    """Pillow's own, which needs no file of the system."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels have FreeType"
    return font
