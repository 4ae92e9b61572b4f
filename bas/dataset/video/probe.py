"""Presentation times of all pictures of a video, read from its packets without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from bas.clock import milliseconds, place_on_clock, time_text
from bas.dataset.video.containers import container_of, open_video, packets, zero_bytes
from bas.dataset.video.display import AS_CODED, Orientation, display_of, lead_ms
from bas.dataset.video.laying import PacketTimes
from bas.dataset.video.problems import LATE, Problem, find_problems
from bas.dataset.video.scan import Scan, declared, scan
from bas.errors import DataError
from bas.messages import counted

if TYPE_CHECKING:
    from av import Packet, VideoStream

_LONGEST = 24 * 60 * 60  # seconds from the first picture to the last
_TAIL = 10  # seconds read at the end to find the last picture
_USUAL_FPS = Fraction(25)  # assumed for a single picture without a declared rate
_RATE_TOLERANCE = 0.01
_UNDATED_SHARE = 0.05
_PLACES = 16  # at which the clock of a transport stream is looked at
_SHOWN = 3  # recordings listed in a note


@dataclass(frozen=True, slots=True)
class VideoTimes:
    """Properties of a video according to its packets."""

    path: Path
    codec: str
    width: int
    """Columns of a picture as players show it, before its pixels are made square."""
    height: int
    """Rows of a picture as players show it."""
    fps: Fraction
    """Declared pictures per second, exact; measured if not declared."""
    time_base: Fraction
    """Seconds per unit of all presentation times below."""
    pts: Int64[np.ndarray, "pictures"]
    """Presentation time of each picture, increasing."""
    keyframes: Int64[np.ndarray, "keyframes"]
    """Presentation times of the packets that a decoder can start at, increasing; hidden ones included."""
    zero_pts: int
    """Zero of the container: 0, or the start time of a transport stream, whose clock starts anywhere."""
    duration: Fraction | None
    """Declared duration in seconds."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    """Unusual but harmless properties, as messages."""
    orientation: Orientation = AS_CODED
    """How players turn the coded pictures."""
    pixel_aspect: Fraction = Fraction(1)
    """Width of a shown pixel divided by its height."""
    packet_times: PacketTimes | None = None
    """Times by packet, where the packets' own are not those above; such a file is read from its start."""
    undated: int = 0
    """Number of pictures whose time is unknown, which are lost."""
    player_zero: Fraction = Fraction(0)
    """Seconds of the container's clock at which a player's clock starts."""

    @property
    def shown_size(self) -> tuple[int, int]:
        """Columns and rows of a picture as players show it, with square pixels."""
        return max(1, round(self.width * self.pixel_aspect)), self.height

    def lead_ms(self, origin_pts: int) -> int:
        """Milliseconds that a player shows at the position 0 whose presentation time is `origin_pts`."""
        return lead_ms(origin_pts * self.time_base, self.player_zero)

    @property
    def start_pts(self) -> int:
        """Presentation time of the first picture."""
        return int(self.pts[0])

    @property
    def interval(self) -> Fraction:
        """Seconds from one picture to the next."""
        return _interval(self.pts, self.time_base, fps=self.fps)

    @property
    def declared_interval(self) -> Fraction | None:
        """Seconds between pictures as declared, where so many have no known time that the others do not show it."""
        return 1 / self.fps if self.undated > _UNDATED_SHARE * len(self.pts) else None

    @property
    def length_ms(self) -> int:
        """Length in milliseconds from the first picture, or from the container's zero if the first picture is late."""
        return _length_ms(self.start_pts, int(self.pts[-1]), self.zero_pts, self.time_base, self.interval)


def probe(path: Path) -> VideoTimes:
    """Read the times of all packets, which takes a few seconds for a match and reads the whole file.

    A picture is a packet that a decoder would output; packets hidden by an edit list do not count.
    Counts declared by the container are never used.

    Raises:
        MissingError: `path` does not exist.
        DataError: it is not a video, or its presentation times are unusable.
    """
    with open_video(path) as stream:
        source = packets(stream)
        taken: list[Packet[VideoStream]] = []
        display = display_of(stream, _kept(source, taken))
        scanned, properties = scan(stream, chain(taken, source)), declared(stream)
        pts = np.unique(scanned.shown)
        _require_usable(path, pts, properties.time_base, scanned)
        interval = _interval(pts, properties.time_base, fps=properties.fps)
        fps = properties.fps or 1 / interval
        problems = tuple(find_problems(stream, path, scanned, properties, pts=pts, interval=interval))
        return VideoTimes(
            path=path,
            codec=stream.codec_context.name,
            width=display.size[0],
            height=display.size[1],
            fps=fps,
            time_base=properties.time_base,
            pts=pts,
            keyframes=scanned.keyframes,
            zero_pts=properties.zero_pts,
            duration=properties.duration,
            problems=problems,
            notes=(
                *display.notes,
                *_notes(stream, scanned, pts, fps=fps, problems=problems),
                *_reserved(path, problems),
            ),
            orientation=display.orientation,
            pixel_aspect=display.pixel_aspect,
            packet_times=scanned.times if scanned.moved else None,
            undated=scanned.times.undated,
            player_zero=display.player_zero,
        )


def _kept(
    source: Iterator[Packet[VideoStream]], taken: list[Packet[VideoStream]]
) -> Iterator[Packet[VideoStream]]:
    """Hand on the packets of `source`, and add those that were taken to a list."""
    for packet in source:
        taken.append(packet)
        yield packet


def length_ms(path: Path) -> int:
    """Length in milliseconds as in `probe`, read from the last seconds of an intact video only.

    Raises:
        MissingError: `path` does not exist.
        DataError: it is not a video.
    """
    with open_video(path) as stream:
        properties = declared(stream)
        start, unit = properties.start_pts, properties.time_base
        rises = not (properties.clockless and _starts_anew(stream))
        if rises and start is not None and properties.fps is not None and properties.end_seconds is not None:
            # Not the last packet of the file: with B-frames the latest picture lies some packets before it.
            tail = max(start, start + int((properties.end_seconds - _TAIL) / unit))
            container_of(stream).seek(tail, stream=stream, backward=True)
            last = max((p.pts for p in packets(stream) if p.pts is not None and p.size), default=start - 1)
            if last >= start:
                return _length_ms(start, last, properties.zero_pts, unit, 1 / properties.fps)
    return probe(path).length_ms


def _starts_anew(stream: VideoStream) -> bool:
    """Return whether the clock of a transport stream falls from one of some places in the file to the next."""
    container, latest = container_of(stream), 0
    assert stream.time_base is not None
    second = round(1 / stream.time_base)  # pictures are reordered by less
    for place in range(_PLACES):
        container.seek(container.size * place // _PLACES, unsupported_byte_offset=True)
        pts = next((packet.pts for packet in packets(stream) if packet.pts is not None), latest)
        if pts < latest - second:
            return True
        latest = max(latest, pts)
    return False


def declared_fps(path: Path) -> Fraction | None:
    """Pictures per second declared by the container; None if it declares no rate or `path` does not exist.

    Raises:
        DataError: it is not a video.
    """
    if not path.is_file():
        return None
    with open_video(path) as stream:
        return declared(stream).fps


def _length_ms(start_pts: int, last_pts: int, zero_pts: int, unit: Fraction, interval: Fraction) -> int:
    late = (start_pts - zero_pts) * unit > LATE
    return milliseconds((last_pts - (zero_pts if late else start_pts)) * unit + interval)


def _require_usable(path: Path, pts: Int64[np.ndarray, "pictures"], unit: Fraction, times: Scan) -> None:
    if len(pts) == 0:
        found = (
            f"{counted(times.times.undated, 'picture')} without presentation times"
            if times.times.undated
            else "no pictures"
        )
        raise DataError(f"{path} has {found}. Copy or download it again, or convert it to .mkv or .mp4.")
    seconds = (int(pts[-1]) - int(pts[0])) * unit
    if seconds > _LONGEST:
        raise DataError(
            f"{path} has invalid times: its pictures span {float(seconds):,.0f} s. Expected at most one day. "
            "Copy or convert it again."
        )


def _interval(pts: Int64[np.ndarray, "pictures"], unit: Fraction, *, fps: Fraction | None) -> Fraction:
    """Seconds between pictures: the mean of the usual intervals, because the unit of time may be coarse."""
    if len(pts) < 2:
        return 1 / (fps or _USUAL_FPS)
    gaps = np.diff(pts)
    usual = gaps[2 * gaps <= 3 * np.median(gaps)]  # up to 1.5 medians: a lost picture doubles its interval
    return Fraction(int(usual.sum()), len(usual)) * unit


def _reserved(path: Path, problems: tuple[Problem, ...]) -> Iterator[str]:
    zeros = zero_bytes(path)
    if zeros and not any(problem.kind == "truncated" for problem in problems):
        yield f"the last {zeros:,} bytes are zeros, behind the last picture"


def _notes(
    stream: VideoStream,
    scanned: Scan,
    pts: Int64[np.ndarray, "pictures"],
    *,
    fps: Fraction,
    problems: tuple[Problem, ...],
) -> Iterator[str]:
    assert stream.time_base is not None
    num_streams = len(container_of(stream).streams.video)
    if num_streams > 1:
        yield f"{num_streams} video streams; using stream {stream.index}, {stream.width} x {stream.height}"
    times, num_packets = scanned.times, len(scanned.times.pts)
    # Of a sound file, an edit list hides the others.
    if problems and stream.frames and stream.frames != num_packets:
        yield f"declares {stream.frames:,} pictures, but has {num_packets:,}"
    if times.starts:
        marks = [
            time_text(milliseconds((int(times.pts[number]) - int(pts[0])) * stream.time_base))
            for number in times.starts[:_SHOWN]
        ]
        more = ", ..." if len(times.starts) > _SHOWN else ""
        yield (
            f"{len(times.starts) + 1:,} recordings, whose clocks each start anew, laid one after the other: "
            f"further ones begin at {', '.join(marks)}{more}"
        )
    if times.derived:
        yield f"pictures whose time follows from their neighbors: {times.derived:,}"
    if place_on_clock(pts, stream.time_base, origin=int(pts[0]), rate=fps).varying:
        yield "variable frame rate; pictures are placed by their presentation times"
        return
    measured = 1 / _interval(pts, stream.time_base, fps=fps)
    if abs(measured / fps - 1) > _RATE_TOLERANCE:
        yield f"declares {float(fps):.2f} pictures per second, but shows {float(measured):.2f}"
