"""Three ticks make one input: pictures scaled, padded, and written where the encoder reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from bas.config.settings import ExtractSettings
from bas.extract.decode import Frame

_MULTIPLE = 32  # the encoder halves five times


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where a picture lies in the encoder's input: in the middle, zeros around it."""

    height: int
    width: int
    flip: bool = False

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the input: 720 x 1280 pictures give 736 x 1280."""
        return _up(self.height), _up(self.width)

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the input that the picture covers."""
        rows, columns = self.padded
        top, left = (rows - self.height) // 2, (columns - self.width) // 2
        return slice(top, top + self.height), slice(left, left + self.width)

    def fit(self, picture: UInt8[Tensor, "h w"]) -> UInt8[Tensor, "height width"]:
        """The picture at the canvas's size, mirrored where asked; itself where nothing is to be done."""
        if picture.shape != (self.height, self.width):
            one = rearrange(picture, "h w -> 1 1 h w").float()
            scaled = functional.interpolate(one, (self.height, self.width), mode="bilinear", antialias=True)
            picture = rearrange(scaled, "1 1 h w -> h w").round_().clamp_(0, 255).to(torch.uint8)
        return picture.flip(1) if self.flip else picture

    def empty(self, rows: int, *, device: torch.device | str, dtype: torch.dtype) -> Tensor:
        """A batch buffer of `rows` stacks, all zeros, in the memory order that convolutions like."""
        shape = (rows, 3, *self.padded)
        zeros = torch.zeros(shape, device=device, dtype=dtype)
        return zeros.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class Rows:
    """Which ticks make which row of one video."""

    num_ticks: int
    hop: int
    stack: tuple[int, int, int]

    def __len__(self) -> int:
        return math.ceil(self.num_ticks / self.hop)

    def ticks_of(self, row: int) -> tuple[int, int, int]:
        """The three ticks of a row; beyond the ends the end tick repeats."""
        first, middle, last = (min(max(row * self.hop + s, 0), self.num_ticks - 1) for s in self.stack)
        return first, middle, last

    def uses(self, tick: int) -> bool:
        """Whether any row holds this tick."""
        if tick in (0, self.num_ticks - 1):
            return True
        return any((tick - offset) % self.hop == 0 for offset in self.stack)

    def span(self, rows: range) -> range:
        """The ticks to decode for `rows`: those of their stacks, and all between."""
        return range(min(self.ticks_of(rows[0])), max(self.ticks_of(rows[-1])) + 1)

    def table(self, rows: range) -> Int64[np.ndarray, "rows 3"]:
        """`ticks_of` every one of `rows`."""
        middle = np.arange(rows.start, rows.stop, dtype=np.int64)[:, None] * self.hop
        ticks: Int64[np.ndarray, "rows 3"] = (middle + np.array(self.stack)).clip(0, self.num_ticks - 1)
        return ticks


@dataclass(frozen=True, slots=True)
class Batch:
    """Stacks for one call of the encoder."""

    rows: range
    stacks: Shaped[Tensor, "rows 3 h w"]
    """Luma, 0 to 255; a view of the buffer, so good only until the next batch is asked for."""


def canvas_of(settings: ExtractSettings) -> Canvas:
    """The canvas that the settings describe."""
    return Canvas(settings.height, settings.width, settings.flip)


def batches(
    frames: Iterable[Frame], work: Iterable[range], *, rows: Rows, canvas: Canvas, buffer: Tensor
) -> Iterator[Batch]:
    """Fill `buffer` with the stacks of each piece of `work` in turn, straight from the frames.

    Args:
        frames: every tick of the span of all the work, once, ascending.
        work: ranges of rows that follow each other, each no longer than the buffer.
        rows: of the video.
        canvas: that their pictures are laid on.
        buffer: from `canvas.empty`; only the part inside the canvas is ever written.
    """
    height, width = canvas.inside
    source = iter(frames)
    recent: dict[int, UInt8[Tensor, "height width"]] = {}
    latest = -1
    for piece in work:
        for place, row in enumerate(piece):
            ticks = rows.ticks_of(row)
            while latest < max(ticks):
                frame = next(source)
                latest = frame.number
                if rows.uses(latest):
                    recent[latest] = canvas.fit(torch.as_tensor(frame.luma, device=buffer.device))
            for channel, tick in enumerate(ticks):
                buffer[place, channel, height, width].copy_(recent[tick], non_blocking=True)
            for tick in [tick for tick in recent if tick < min(ticks)]:
                del recent[tick]
        yield Batch(piece, buffer[: len(piece)])


def _up(size: int) -> int:
    return -(-size // _MULTIPLE) * _MULTIPLE
