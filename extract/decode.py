"""Pictures of a video on the model's clock: one iterator over two decoders.

    times = probe(path)
    ticks = lay(times.pts, times.time_base, origin=..., rate=...)
    health = Health()
    for frame in read_frames(times, ticks, start=0, stop=len(ticks), decoder="auto", device=device, health=health):
        ...

Every tick of [start, stop) comes exactly once, in order. The decoder runs in a thread of its own,
some pictures ahead; closing the iterator ends it. Several iterators may run at once, each in its
own thread with its own `Health`: that is how several engines, or several cores, are kept busy,
since one CPU decoder takes one core. A luma plane is a tensor on `device` when NVDEC decoded it and
an array when the CPU did (also inside a read that began with NVDEC), so that
`torch.as_tensor(frame.luma, device=device)` takes both.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from bas.clock import Ticks
from bas.dataset.times import VideoTimes

Decoder = Literal["auto", "nvdec", "cpu"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is on screen at one tick of the model's clock."""

    number: int
    """Tick of the model's clock."""
    pts: int
    """Presentation time of the tick's picture, in the stream's time base."""
    luma: UInt8[np.ndarray, "height width"] | UInt8[Tensor, "height width"]
    """Raw luma plane as it was decoded, 16..235 as a rule, in memory of its own, of the picture's own size."""
    sound: bool
    """False where the picture is missing or damaged: then `luma` repeats the last sound picture before it."""


@dataclass(slots=True)
class Health:
    """What one or several reads met; counts only ever grow."""

    decoder: Literal["", "nvdec", "cpu"] = ""
    """Which decoder was used; cpu also when it took over from NVDEC."""
    reason: str = ""
    """Why that one, in words for a person."""
    pictures: int = 0
    """Pictures that the decoder handed out."""
    errors: int = 0
    """Packets that the decoder refused, and failed reads of the file."""
    corrupt: int = 0
    """Packets and pictures that are marked as corrupt."""
    complaints: int = 0
    """Warnings and errors that FFmpeg logged."""
    repaired: int = 0
    """Pictures that NVDEC did not hand out and the CPU did."""
    unsound: int = 0
    """Ticks whose picture is missing or damaged."""

    def add(self, other: Health) -> None:
        """Take in what another read of the same video met."""
        raise NotImplementedError


def read_frames(
    times: VideoTimes,
    ticks: Ticks,
    *,
    start: int,
    stop: int,
    decoder: Decoder,
    device: torch.device | str,
    health: Health,
) -> Generator[Frame, None, None]:
    """Yield every tick of [start, stop) once, in order, with its picture.

    Raises:
        DataError: the video cannot be opened, holds no picture, or gave none for a minute.
        UnavailableError: `decoder` is nvdec and this machine has none.
    """
    raise NotImplementedError
