"""Decoded pictures, and the counters of a read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

Luma = UInt8[np.ndarray, "height width"] | UInt8[Tensor, "height width"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was decoded without any sign of damage."""

    pts: int
    """Presentation time in the stream's time base."""
    luma: Luma
    """Raw luma plane, in memory that no other picture shares."""


@dataclass(slots=True)
class DecodeStats:
    """Counters of one read of a video; every concurrent read has its own.

    `missing_or_damaged` depends only on the frames that were read. The other counts include the
    pictures decoded around them, so they differ a little between one long read and several short ones.
    """

    decoder: Literal["", "nvdec", "cpu"] = ""
    """Decoder in use; cpu also after it took over from NVDEC."""
    reason: str = ""
    """Why this decoder was chosen; empty for NVDEC."""
    pictures: int = 0
    """Number of pictures decoded, including damaged ones."""
    damaged: int = 0
    """Number of decoded pictures that cannot be trusted."""
    errors: int = 0
    """Number of packets that the decoder rejected."""
    corrupt: int = 0
    """Number of packets and pictures marked as corrupt."""
    ffmpeg_warnings: int = 0
    """Number of warnings and errors that FFmpeg logged."""
    redecoded: int = 0
    """Number of pictures that NVDEC left out and the CPU decoded."""
    missing_or_damaged: int = 0
    """Number of frames whose picture is missing or damaged."""
