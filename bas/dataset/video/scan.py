"""One pass over the packets of a video stream, and the properties that the stream declares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from bas.dataset.video.containers import container_of
from bas.dataset.video.laying import NO_TIME, PacketTimes, lay_out

if TYPE_CHECKING:
    from av import Packet, VideoStream

_HEAD = 16  # bytes; no codec begins a packet with as many zeros
_CONTAINER_UNIT = Fraction(1, 1_000_000)  # seconds; unit of FFmpeg's times of a whole container


@dataclass(frozen=True, slots=True)
class Scan:
    """All packets of a video stream, in file order."""

    times: PacketTimes
    """Presentation times on one rising clock."""
    moved: bool
    """Whether these times differ from those that the packets carry."""
    key: Bool[np.ndarray, "packets"]
    """Whether a decoder can start at the packet."""
    discarded: Bool[np.ndarray, "packets"]
    """Whether an edit list hides the packet."""
    corrupt: int
    """Number of packets that the container marks as damaged."""
    blank: int
    """Number of packets that hold zeros instead of data."""
    ends_blank: bool
    """Whether the last packet is one of them."""
    end_pts: int
    """Time at which the last picture leaves the screen, by the packets' own times and durations."""
    num_bytes: int
    """Size of all packets."""
    end_byte: int
    """End of the last packet in the file; 0 if unknown."""

    @property
    def shown(self) -> Int64[np.ndarray, "shown"]:
        """Presentation times of the pictures that a decoder would output, in file order."""
        pts: Int64[np.ndarray, "packets"] = self.times.pts
        shown: Int64[np.ndarray, "shown"] = pts[(pts != NO_TIME) & ~self.discarded & ~self.times.hidden]
        return shown

    @property
    def keyframes(self) -> Int64[np.ndarray, "keyframes"]:
        """Presentation times of the packets that a decoder can start at, increasing."""
        pts: Int64[np.ndarray, "packets"] = np.unique(self.times.pts[self.key & (self.times.pts != NO_TIME)])
        return pts

    @property
    def first_pts(self) -> int:
        """Presentation time of the first picture of the track, whether it can be decoded or not."""
        pts = self.times.pts
        return int(pts[(pts != NO_TIME) & ~self.discarded].min())


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
    clockless: bool
    """Whether the file is a transport stream: its clock starts anywhere, and its duration is an estimate."""


def scan(stream: VideoStream, source: Iterable[Packet[VideoStream]]) -> Scan:
    """Read all packets of a stream from `source`, without decoding them."""
    pts: list[int] = []
    key: list[bool] = []
    discarded: list[bool] = []
    corrupt = blank = num_bytes = end_byte = 0
    end_pts, is_blank = NO_TIME, False
    for packet in source:
        if packet.size == 0:
            continue
        corrupt += packet.is_corrupt
        is_blank = not any(memoryview(packet)[:_HEAD])
        blank += is_blank
        key.append(packet.is_keyframe)
        discarded.append(packet.is_discard)
        num_bytes += packet.size
        if packet.pos is not None:
            end_byte = max(end_byte, packet.pos + packet.size)
        if packet.pts is None:
            pts.append(NO_TIME)
        else:
            pts.append(packet.pts)
            end_pts = max(end_pts, packet.pts + (packet.duration or 0))
    properties = declared(stream)
    read, keys = np.array(pts, np.int64), np.array(key, bool)
    times = lay_out(
        read,
        keys,
        unit=properties.time_base,
        fps=properties.fps,
        reordered=stream.codec_context.has_b_frames,
        clockless=properties.clockless,
    )
    return Scan(
        times=times,
        moved=not np.array_equal(times.pts, read),
        key=keys,
        discarded=np.array(discarded, bool),
        corrupt=corrupt,
        blank=blank,
        ends_blank=is_blank,
        end_pts=end_pts,
        num_bytes=num_bytes,
        end_byte=end_byte,
    )


def declared(stream: VideoStream) -> Declared:
    """Declared properties of an open stream."""
    container = container_of(stream)
    unit = stream.time_base
    assert unit is not None
    total = None if container.duration is None else container.duration * _CONTAINER_UNIT
    own = _tagged_duration(stream) if stream.duration is None else stream.duration * unit
    clockless = container.format.name == "mpegts"
    started = clockless and container.start_time is not None
    return Declared(
        time_base=unit,
        fps=stream.average_rate or stream.guessed_rate or None,
        duration=total if own is None else own,
        start_pts=stream.start_time,
        zero_pts=round(container.start_time * _CONTAINER_UNIT / unit) if started else 0,
        end_seconds=total,
        clockless=clockless,
    )


def _tagged_duration(stream: VideoStream) -> Fraction | None:
    """Seconds in Matroska's tag DURATION, such as "00:00:12.000000000"; some writers add the language to its name."""
    tag = next((text for key, text in stream.metadata.items() if key.startswith("DURATION")), "")
    try:
        hours, minutes, seconds = (Fraction(part) for part in tag.split(":"))
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds
