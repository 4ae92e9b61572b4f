"""The probe: when every picture of a video is shown, read from its packets without decoding one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int64

from bas.clock import lay, milliseconds, span_text
from bas.dataset.containers import container_of, missing_bytes, open_video, packets
from bas.errors import DataError

if TYPE_CHECKING:
    from av import VideoStream

ProblemKind = Literal["truncated", "late", "hole", "backwards", "repeated", "undated", "corrupt"]

_LATE = Fraction(1, 2)  # seconds; B-frames delay a first picture by less
_HOLE = Fraction(1, 2)
_BACKWARDS = Fraction(1)  # reordered pictures lie closer together
_SLACK = Fraction(1)  # by which a declared duration may exceed the pictures
_LONGEST = 24 * 60 * 60  # seconds from the first picture to the last
_TAIL = 10  # seconds read to find the last picture
_RATE_TOLERANCE = 0.01
_SHOWN = 3  # holes that a message names


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a video's times, for whoever has to decide what to do about it."""

    kind: ProblemKind
    text: str
    """For people, with the numbers."""


@dataclass(frozen=True, slots=True)
class VideoTimes:
    """What the packets of a video say, none of it decoded."""

    path: Path
    codec: str
    width: int
    height: int
    fps: Fraction
    """Declared pictures a second, exact; what the pictures show where nothing is declared."""
    time_base: Fraction
    """Seconds per unit of all times here."""
    pts: Int64[np.ndarray, "pictures"]
    """Presentation time of each picture, rising."""
    keyframes: Int64[np.ndarray, "keyframes"]
    """Presentation times of the packets that a decoder can start at, rising."""
    zero_pts: int
    """The container's own zero: 0, or where a transport stream, whose clock starts anywhere, begins."""
    stream_index: int
    duration: Fraction | None
    """Declared seconds."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    """What is unusual and harmless."""

    @property
    def start_pts(self) -> int:
        """Presentation time of the first picture."""
        return int(self.pts[0])

    @property
    def interval(self) -> Fraction:
        """Seconds from one picture to the next, the median; of a single picture, what its rate says."""
        return _interval(self.pts, self.time_base, self.fps)

    @property
    def length_ms(self) -> int:
        """Milliseconds from the first picture (from the container's zero, if that one is late) to the end."""
        late = any(problem.kind == "late" for problem in self.problems)
        origin = self.zero_pts if late else self.start_pts
        return milliseconds((int(self.pts[-1]) - origin) * self.time_base + self.interval)


def probe(path: Path) -> VideoTimes:
    """Read every packet's times; a match takes seconds, most of them the disk's.

    A picture is a packet that a decoder would show: packets that an edit list discards are not
    counted. Counts that the container declares are never used.

    Raises:
        MissingError: there is no such file.
        DataError: it is not a video, or its pictures have no usable times.
    """
    with open_video(path) as stream:
        scan = _scan(stream)
        shown = scan.pts[~scan.discarded]
        pts = np.unique(shown)
        _require_usable(path, pts, scan, stream)
        fps = _declared_rate(stream) or 1 / _interval(pts, _time_base(stream), Fraction(25))
        duration = _declared_duration(stream)
        return VideoTimes(
            path=path,
            codec=stream.codec_context.name,
            width=stream.width,
            height=stream.height,
            fps=fps,
            time_base=_time_base(stream),
            pts=pts,
            keyframes=np.unique(scan.pts[scan.key]),
            zero_pts=_zero_pts(stream),
            stream_index=stream.index,
            duration=duration,
            problems=tuple(_problems(path, stream, scan, shown, pts, duration, fps)),
            notes=tuple(_notes(stream, pts, fps)),
        )


def length_ms(path: Path) -> int:
    """`probe(path).length_ms` of a sound video, from its last seconds alone: for checking labels.

    Raises:
        MissingError: there is no such file.
        DataError: it is not a video.
    """
    with open_video(path) as stream:
        unit, fps = _time_base(stream), _declared_rate(stream)
        end = container_of(stream).duration
        if stream.start_time is not None and fps is not None and end is not None:
            start = stream.start_time
            tail = max(start, start + int((Fraction(end, 1_000_000) - _TAIL) / unit))
            container_of(stream).seek(tail, stream=stream, backward=True)
            last = max((p.pts for p in packets(stream) if p.pts is not None and p.size), default=None)
            if last is not None and last >= start:
                zero = _zero_pts(stream)
                origin = zero if (start - zero) * unit > _LATE else start
                return milliseconds((last - origin) * unit + 1 / fps)
    return probe(path).length_ms


@dataclass(frozen=True, slots=True)
class _Scan:
    """Every dated packet, in the order of the file."""

    pts: Int64[np.ndarray, "packets"]
    key: np.ndarray
    discarded: np.ndarray
    undated: int
    corrupt: int


def _scan(stream: VideoStream) -> _Scan:
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
    return _Scan(np.array(pts, np.int64), np.array(key, bool), np.array(discarded, bool), undated, corrupt)


def _require_usable(path: Path, pts: Int64[np.ndarray, "pictures"], scan: _Scan, stream: VideoStream) -> None:
    if len(pts) == 0:
        what = f"{scan.undated:,} pictures without presentation times" if scan.undated else "no pictures"
        raise DataError(f"{path} holds {what}. Copy or download it again, or convert it to .mkv or .mp4.")
    seconds = (int(pts[-1]) - int(pts[0])) * _time_base(stream)
    if seconds > _LONGEST:
        raise DataError(
            f"{path} claims {float(seconds):,.0f} s from its first picture to its last; bas reads up to a day. "
            "Its times are damaged: copy it again, or convert it anew."
        )


def _problems(
    path: Path,
    stream: VideoStream,
    scan: _Scan,
    shown: Int64[np.ndarray, "shown"],
    pts: Int64[np.ndarray, "pictures"],
    duration: Fraction | None,
    fps: Fraction,
) -> Iterator[Problem]:
    unit = _time_base(stream)
    if text := _cut_text(path, stream, pts, duration, fps):
        yield Problem("truncated", text)
    late = (int(pts[0]) - _zero_pts(stream)) * unit
    if late > _LATE:
        yield Problem("late", f"the first picture comes at {float(late):.2f} s")
    yield from _holes(pts, unit)
    back = (np.maximum.accumulate(shown) - shown).max() * unit
    if back > _BACKWARDS:
        yield Problem("backwards", f"the times of the pictures go back by {float(back):.2f} s")
    if len(shown) > len(pts):
        yield Problem("repeated", f"{len(shown) - len(pts):,} pictures have the time of another one")
    if scan.undated:
        yield Problem("undated", f"{scan.undated:,} pictures have no presentation time")
    if scan.corrupt:
        yield Problem("corrupt", f"{scan.corrupt:,} packets are marked as damaged")


def _cut_text(
    path: Path,
    stream: VideoStream,
    pts: Int64[np.ndarray, "pictures"],
    duration: Fraction | None,
    fps: Fraction,
) -> str:
    """What a file that was cut lacks; empty for a whole one."""
    unit = _time_base(stream)
    # Matroska declares the time of its end, the others how long the stream is.
    start = 0 if container_of(stream).format.name.startswith("matroska") else int(pts[0])
    present = (int(pts[-1]) - start) * unit + _interval(pts, unit, fps)
    missing = missing_bytes(path)
    if not missing and (duration is None or present >= duration - _SLACK):
        return ""
    size = path.stat().st_size
    seconds = f"truncated: {float(present):.2f} of {float(duration):.2f} s" if duration else "truncated"
    return f"{seconds}, {size:,} of {size + missing:,} bytes" if missing else seconds


def _holes(pts: Int64[np.ndarray, "pictures"], unit: Fraction) -> Iterator[Problem]:
    places = np.flatnonzero(np.diff(pts) * float(unit) > float(_HOLE)).tolist()
    texts = []
    for i in places[:_SHOWN]:
        start, stop = (milliseconds((int(pts[k]) - int(pts[0])) * unit) for k in (i, i + 1))
        texts.append(f"for {(stop - start) / 1000:.2f} s at {span_text(start, stop)}")
    if places:
        more = f", and in {len(places) - _SHOWN:,} more places" if len(places) > _SHOWN else ""
        yield Problem("hole", f"no picture {', '.join(texts)}{more}")


def _notes(stream: VideoStream, pts: Int64[np.ndarray, "pictures"], fps: Fraction) -> Iterator[str]:
    streams = container_of(stream).streams.video
    if len(streams) > 1:
        yield f"{len(streams)} video streams; took number {stream.index}, {stream.width} x {stream.height}"
    if stream.frames and stream.frames != len(pts):
        yield f"declares {stream.frames:,} pictures, holds {len(pts):,}"
    if lay(pts, _time_base(stream), origin=int(pts[0]), rate=fps).varying:
        yield "the rate varies: pictures are placed by their times"
        return
    measured = 1 / _interval(pts, _time_base(stream), fps)
    if abs(measured / fps - 1) > _RATE_TOLERANCE:
        yield f"declares {float(fps):.2f} pictures a second, shows {float(measured):.2f}"


def _interval(pts: Int64[np.ndarray, "pictures"], unit: Fraction, fps: Fraction) -> Fraction:
    """Seconds from one picture to the next: the mean of the usual ones, as units may be coarse."""
    if len(pts) < 2:
        return 1 / fps
    gaps = np.diff(pts)
    usual = gaps[2 * gaps <= 3 * np.median(gaps)]
    return Fraction(int(usual.sum()), len(usual)) * unit


def _time_base(stream: VideoStream) -> Fraction:
    assert stream.time_base is not None
    return stream.time_base


def _declared_rate(stream: VideoStream) -> Fraction | None:
    return stream.average_rate or stream.guessed_rate or None


def _declared_duration(stream: VideoStream) -> Fraction | None:
    """Of the stream itself if it declares one, for sound may last longer than the pictures."""
    if stream.duration is not None:
        return stream.duration * _time_base(stream)
    tag = next((text for key, text in stream.metadata.items() if key.startswith("DURATION")), "")
    parts = tag.split(":")
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
        return hours * 3600 + minutes * 60 + seconds
    except ValueError:
        whole = container_of(stream).duration
        return Fraction(whole, 1_000_000) if whole is not None else None


def _zero_pts(stream: VideoStream) -> int:
    container = container_of(stream)
    if container.format.name != "mpegts" or container.start_time is None:
        return 0
    return int(Fraction(container.start_time, 1_000_000) / _time_base(stream))
