"""One pass over the packets of a video stream, and what the stream declares about itself."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from bas.dataset.containers import container_of, packets

if TYPE_CHECKING:
    from av import VideoStream

_CONTAINER_UNIT = Fraction(1, 1_000_000)  # seconds, of FFmpeg's times of a whole container


@dataclass(frozen=True, slots=True)
class Scan:
    """Every dated packet, in the order of the file."""

    pts: Int64[np.ndarray, "packets"]
    key: Bool[np.ndarray, "packets"]
    """Whether a decoder can start there."""
    discarded: Bool[np.ndarray, "packets"]
    """Whether an edit list hides it."""
    undated: int
    """Packets without a presentation time; not among the others."""
    corrupt: int
    """Packets that the container marks as damaged."""

    @property
    def shown(self) -> Int64[np.ndarray, "shown"]:
        """Presentation times of the pictures that a decoder would show, in the order of the file."""
        times: Int64[np.ndarray, "shown"] = self.pts[~self.discarded]
        return times


@dataclass(frozen=True, slots=True)
class Declared:
    """What a stream says of itself; believed only where nothing better is known."""

    time_base: Fraction
    fps: Fraction | None
    duration: Fraction | None
    """Seconds; of the stream itself if it says so, for sound may last longer than the pictures."""
    start_pts: int | None
    zero_pts: int
    """0, or where a transport stream, whose clock starts anywhere, begins."""
    end_seconds: Fraction | None
    """Of the whole container."""


def scan(stream: VideoStream) -> Scan:
    """Read every packet of a stream and decode none."""
    pts: list[int] = []
    key: list[bool] = []
    discarded: list[bool] = []
    undated = corrupt = 0
    for packet in packets(stream):
        if packet.size == 0:
            continue
        corrupt += packet.is_corrupt
        if packet.pts is None:
            undated += 1
            continue
        pts.append(packet.pts)
        key.append(packet.is_keyframe)
        discarded.append(packet.is_discard)
    return Scan(np.array(pts, np.int64), np.array(key, bool), np.array(discarded, bool), undated, corrupt)


def declared(stream: VideoStream) -> Declared:
    """What an open stream says of itself."""
    container = container_of(stream)
    unit = stream.time_base
    assert unit is not None
    whole = None if container.duration is None else container.duration * _CONTAINER_UNIT
    own = _tagged_duration(stream) if stream.duration is None else stream.duration * unit
    clockless = container.format.name == "mpegts" and container.start_time is not None
    return Declared(
        time_base=unit,
        fps=stream.average_rate or stream.guessed_rate or None,
        duration=whole if own is None else own,
        start_pts=stream.start_time,
        zero_pts=round(container.start_time * _CONTAINER_UNIT / unit) if clockless else 0,
        end_seconds=whole,
    )


def _tagged_duration(stream: VideoStream) -> Fraction | None:
    """Of Matroska's tag DURATION, "00:00:12.000000000"; writers add the language to its name."""
    tag = next((text for key, text in stream.metadata.items() if key.startswith("DURATION")), "")
    try:
        hours, minutes, seconds = (Fraction(part) for part in tag.split(":"))
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds
