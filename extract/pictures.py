"""What the decoders hand out, and what they met on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

Luma = UInt8[np.ndarray, "height width"] | UInt8[Tensor, "height width"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was decoded without a complaint."""

    pts: int
    """Presentation time in the stream's time base."""
    luma: Luma
    """Raw luma plane in memory of its own."""


@dataclass(slots=True)
class Health:
    """What a read of a video met; every concurrent read has its own.

    `unsound` depends on the ticks that were read alone. The other counts include what had to be
    decoded around them, so they differ a little between one long read and several short ones.
    """

    decoder: Literal["", "nvdec", "cpu"] = ""
    """The decoder in use; cpu also after it took over from NVDEC."""
    reason: str = ""
    """Why that one, where it is not the one that was hoped for."""
    pictures: int = 0
    """Pictures decoded, the damaged ones too."""
    damaged: int = 0
    """Of these, the ones that cannot be trusted."""
    errors: int = 0
    """Packets that the decoder refused."""
    corrupt: int = 0
    """Packets and pictures that are marked as corrupt."""
    complaints: int = 0
    """Warnings and errors that FFmpeg logged."""
    repaired: int = 0
    """Pictures that NVDEC did not hand out and the CPU did."""
    unsound: int = 0
    """Ticks whose picture is missing or damaged."""
