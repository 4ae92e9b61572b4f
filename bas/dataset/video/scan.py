"""One pass over the packets of a video stream, and the properties that the stream declares."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from bas.dataset.video.containers import container_of, packets

if TYPE_CHECKING:
    from av import VideoStream

_CONTAINER_UNIT = Fraction(1, 1_000_000)  # seconds; unit of FFmpeg's times of a whole container


@dataclass(frozen=True, slots=True)
class Scan:
    """All packets with a presentation time, in file order."""

    pts: Int64[np.ndarray, "packets"]
    """Presentation time of each packet."""
    key: Bool[np.ndarray, "packets"]
    """Whether a decoder can start at the packet."""
    discarded: Bool[np.ndarray, "packets"]
    """Whether an edit list hides the packet."""
    undated: int
    """Number of packets without a presentation time, which are left out above."""
    corrupt: int
    """Number of packets that the container marks as damaged."""

    @property
    def shown(self) -> Int64[np.ndarray, "shown"]:
        """Presentation times of the pictures that a decoder would output, in file order."""
        times: Int64[np.ndarray, "shown"] = self.pts[~self.discarded]
        return times


@dataclass(frozen=True, slots=True)
class Declared:
    """Properties that a stream declares; used only where nothing more reliable is known."""

    time_base: Fraction
    """Seconds per unit of time."""
    fps: Fraction | None
    """Pictures per second."""
    duration: Fraction | None
    """Seconds, of the video stream itself if declared, because audio may last longer."""
    start_pts: int | None
    """Presentation time of the first picture."""
    zero_pts: int
    """Zero of the container: 0, or the start time of a transport stream, whose clock starts anywhere."""
    end_seconds: Fraction | None
    """Duration of the whole container in seconds."""


def scan(stream: VideoStream) -> Scan:
    """Read all packets of a stream without decoding them."""
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
    """Declared properties of an open stream."""
    container = container_of(stream)
    unit = stream.time_base
    assert unit is not None
    total = None if container.duration is None else container.duration * _CONTAINER_UNIT
    own = _tagged_duration(stream) if stream.duration is None else stream.duration * unit
    clockless = container.format.name == "mpegts" and container.start_time is not None
    return Declared(
        time_base=unit,
        fps=stream.average_rate or stream.guessed_rate or None,
        duration=total if own is None else own,
        start_pts=stream.start_time,
        zero_pts=round(container.start_time * _CONTAINER_UNIT / unit) if clockless else 0,
        end_seconds=total,
    )


def _tagged_duration(stream: VideoStream) -> Fraction | None:
    """Seconds in Matroska's tag DURATION, such as "00:00:12.000000000"; some writers add the language to its name."""
    tag = next((text for key, text in stream.metadata.items() if key.startswith("DURATION")), "")
    try:
        hours, minutes, seconds = (Fraction(part) for part in tag.split(":"))
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds
