"""Stacks of three frames, scaled and padded in the buffer that the encoder reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from bas.config.extract import ExtractSettings
from bas.extract.decode.frames import Frame
from bas.extract.decode.timeline import RowLayout

_MULTIPLE = 32  # the encoder halves its input five times


@dataclass(frozen=True, slots=True)
class Canvas:
    """Placement of a picture in the encoder's input: centered, with zeros around it."""

    height: int
    width: int
    flip: bool = False

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the input: 720 x 1280 pictures give 736 x 1280."""
        return _round_up(self.height), _round_up(self.width)

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the input that the picture covers."""
        rows, columns = self.padded
        top, left = (rows - self.height) // 2, (columns - self.width) // 2
        return slice(top, top + self.height), slice(left, left + self.width)

    def fit(self, picture: UInt8[Tensor, "h w"]) -> UInt8[Tensor, "height width"]:
        """Scale a picture to the canvas and mirror it if `flip` is set; a picture that fits is not copied."""
        if picture.shape != (self.height, self.width):
            one = rearrange(picture, "h w -> 1 1 h w").float()
            scaled = functional.interpolate(one, (self.height, self.width), mode="bilinear", antialias=True)
            picture = rearrange(scaled, "1 1 h w -> h w").round_().clamp_(0, 255).to(torch.uint8)
        return picture.flip(1) if self.flip else picture

    def empty(self, rows: int, *, device: torch.device | str, dtype: torch.dtype) -> Tensor:
        """Allocate a zeroed buffer for `rows` stacks, channels last, as convolutions prefer it."""
        shape = (rows, 3, *self.padded)
        zeros = torch.zeros(shape, device=device, dtype=dtype)
        return zeros.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class StackBatch:
    """Stacks for one call of the encoder."""

    rows: range
    stacks: Shaped[Tensor, "rows 3 h w"]
    """Luma, 0 to 255. A view of the buffer, so valid only until the next batch is requested."""


def canvas_of(settings: ExtractSettings) -> Canvas:
    """Return the canvas that the settings describe."""
    return Canvas(settings.height, settings.width, settings.flip)


def stack_batches(
    frames: Iterable[Frame], pieces: Iterable[range], *, rows: RowLayout, canvas: Canvas, buffer: Tensor
) -> Iterator[StackBatch]:
    """Fill `buffer` with the stacks of each piece in turn, straight from the frames.

    Args:
        frames: every frame of the span of all pieces, once, ascending.
        pieces: consecutive ranges of rows, each no longer than the buffer.
        rows: row layout of the video.
        canvas: canvas that the pictures are placed on.
        buffer: result of `canvas.empty`; only the part inside the canvas is ever written.
    """
    height, width = canvas.inside
    source = iter(frames)
    # Stacks overlap, so each picture is fitted once and kept while a row to come may hold it.
    recent: dict[int, UInt8[Tensor, "height width"]] = {}
    latest = -1
    for piece in pieces:
        for slot, row in enumerate(piece):
            numbers = rows.frames_of(row)
            while latest < max(numbers):
                frame = next(source)
                latest = frame.number
                if rows.uses(latest):  # with a large hop most frames are only decoded, never scaled
                    recent[latest] = canvas.fit(torch.as_tensor(frame.luma, device=buffer.device))
            for channel, number in enumerate(numbers):
                buffer[slot, channel, height, width].copy_(recent[number], non_blocking=True)
            # The smallest frame of a stack never falls from one row to the next.
            for number in [number for number in recent if number < min(numbers)]:
                del recent[number]
        yield StackBatch(piece, buffer[: len(piece)])


def _round_up(size: int) -> int:
    return -(-size // _MULTIPLE) * _MULTIPLE
