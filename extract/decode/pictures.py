"""Decoded pictures, and the counters of a read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from bas.dataset.video.display import AS_CODED, Orientation

Luma = UInt8[np.ndarray, "height width"] | UInt8[Tensor, "height width"]
PlaneT = TypeVar("PlaneT", NDArray[np.uint8], Tensor)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was decoded without any sign of damage."""

    pts: int
    """Presentation time in the stream's time base."""
    luma: Luma
    """Raw luma plane as players turn it, in memory that no other picture shares."""


def turned(plane: PlaneT, orientation: Orientation) -> PlaneT:
    """Turn a coded plane as players show it; the result is contiguous unless it is the plane itself."""
    if orientation == AS_CODED:
        return plane
    upright = plane.T if orientation.transposed else plane
    flips = (orientation.flip_rows, orientation.flip_columns)
    axes = tuple(axis for axis, flip in enumerate(flips) if flip)
    if isinstance(upright, Tensor):
        return upright.flip(axes).contiguous()
    return np.ascontiguousarray(np.flip(upright, axes))


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


class CorruptionTracker:
    """Set of presentation times that cannot be trusted, built packet by packet in decoding order.

    Pictures are predicted from earlier ones, and FFmpeg marks only those whose own packet is
    broken, a fifth of the wrong ones. So everything that is decoded from a broken packet up to the
    next keyframe counts as damaged. Pictures that follow a keyframe but are shown before it (open
    GOP) may be predicted from pictures before it, and are damaged if those were.

        decoding order   I0  P1  P2  I4  B3  P5      B3 is decoded after I4 and shown before it
        broken packet        x
        damaged              x   x       x           I4 stops it; B3 may still refer to P2
    """

    def __init__(self) -> None:
        self._damaged: set[int | None] = set()
        self._keyframe: int | None = None
        self._broken = False
        self._broken_before = False

    def update(self, pts: int | None, *, keyframe: bool, broken: bool) -> None:
        """Record the next packet of the stream.

        Args:
            pts: presentation time of the packet; None if it has none.
            keyframe: whether it holds a keyframe.
            broken: whether the packet itself is damaged.
        """
        if keyframe:
            self._keyframe, self._broken_before, self._broken = pts, self._broken, False
        leading = None not in (pts, self._keyframe) and pts < self._keyframe  # type: ignore[operator]
        # Leading pictures are never references for what follows the keyframe, so a broken one
        # spoils itself alone. This runs after the keyframe's reset: a broken keyframe spoils its GOP.
        if not leading:
            self._broken |= broken
        if broken or (self._broken_before if leading else self._broken):
            self._damaged.add(pts)

    def __contains__(self, pts: int | None) -> bool:
        return pts in self._damaged
