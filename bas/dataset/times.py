"""The probe: when every picture of a video is shown, read from its packets without decoding one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from bas.clock import lay, milliseconds
from bas.dataset.containers import container_of, open_video, packets
from bas.dataset.problems import LATE, Problem, find_problems
from bas.dataset.scan import Scan, declared, scan
from bas.errors import DataError

if TYPE_CHECKING:
    from av import VideoStream

_LONGEST = 24 * 60 * 60  # seconds from the first picture to the last
_TAIL = 10  # seconds that are read to find the last picture
_USUAL_FPS = Fraction(25)  # of a single picture that declares nothing
_RATE_TOLERANCE = 0.01


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
    """Presentation times of the packets that a decoder can start at, rising; hidden ones too."""
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
        """Seconds from one picture to the next."""
        return _interval(self.pts, self.time_base, fps=self.fps)

    @property
    def length_ms(self) -> int:
        """Milliseconds from the first picture (from the container's zero, if that one is late) to the end."""
        return _length_ms(self.start_pts, int(self.pts[-1]), self.zero_pts, self.time_base, self.interval)


def probe(path: Path) -> VideoTimes:
    """Read every packet's times; a match takes a few seconds, and a read of the whole file.

    A picture is a packet that a decoder would show: what an edit list hides is not counted. Counts
    that the container declares are never used.

    Raises:
        MissingError: there is no such file.
        DataError: it is not a video, or its pictures have no usable times.
    """
    with open_video(path) as stream:
        packet_times, says = scan(stream), declared(stream)
        pts = np.unique(packet_times.shown)
        _require_usable(path, pts, says.time_base, packet_times)
        interval = _interval(pts, says.time_base, fps=says.fps)
        fps = says.fps or 1 / interval
        problems = find_problems(path, packet_times, says, pts=pts, interval=interval)
        return VideoTimes(
            path=path,
            codec=stream.codec_context.name,
            width=stream.width,
            height=stream.height,
            fps=fps,
            time_base=says.time_base,
            pts=pts,
            keyframes=np.unique(packet_times.pts[packet_times.key]),
            zero_pts=says.zero_pts,
            stream_index=stream.index,
            duration=says.duration,
            problems=tuple(problems),
            notes=tuple(_notes(stream, pts, fps=fps)),
        )


def length_ms(path: Path) -> int:
    """`probe(path).length_ms` of a sound video from its last seconds alone, in milliseconds: for labels.

    Raises:
        MissingError: there is no such file.
        DataError: it is not a video.
    """
    with open_video(path) as stream:
        says = declared(stream)
        start, unit = says.start_pts, says.time_base
        if start is not None and says.fps is not None and says.end_seconds is not None:
            tail = max(start, start + int((says.end_seconds - _TAIL) / unit))
            container_of(stream).seek(tail, stream=stream, backward=True)
            last = max((p.pts for p in packets(stream) if p.pts is not None and p.size), default=start - 1)
            if last >= start:
                return _length_ms(start, last, says.zero_pts, unit, 1 / says.fps)
    return probe(path).length_ms


def declared_fps(path: Path) -> Fraction | None:
    """Pictures a second as the container declares them; None where it does not, or there is no file.

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
        what = f"{times.undated:,} pictures without presentation times" if times.undated else "no pictures"
        raise DataError(f"{path} holds {what}. Copy or download it again, or convert it to .mkv or .mp4.")
    seconds = (int(pts[-1]) - int(pts[0])) * unit
    if seconds > _LONGEST:
        raise DataError(
            f"{path} claims {float(seconds):,.0f} s from its first picture to its last; bas reads up to a day. "
            "Its times are damaged: copy it again, or convert it anew."
        )


def _interval(pts: Int64[np.ndarray, "pictures"], unit: Fraction, *, fps: Fraction | None) -> Fraction:
    """Seconds from one picture to the next: the mean of the usual gaps, as units may be coarse."""
    if len(pts) < 2:
        return 1 / (fps or _USUAL_FPS)
    gaps = np.diff(pts)
    usual = gaps[2 * gaps <= 3 * np.median(gaps)]
    return Fraction(int(usual.sum()), len(usual)) * unit


def _notes(stream: VideoStream, pts: Int64[np.ndarray, "pictures"], *, fps: Fraction) -> Iterator[str]:
    assert stream.time_base is not None
    num_streams = len(container_of(stream).streams.video)
    if num_streams > 1:
        yield f"{num_streams} video streams; took number {stream.index}, {stream.width} x {stream.height}"
    if stream.frames and stream.frames != len(pts):
        yield f"declares {stream.frames:,} pictures, holds {len(pts):,}"
    if lay(pts, stream.time_base, origin=int(pts[0]), rate=fps).varying:
        yield "the rate varies: pictures are placed by their times"
        return
    measured = 1 / _interval(pts, stream.time_base, fps=fps)
    if abs(measured / fps - 1) > _RATE_TOLERANCE:
        yield f"declares {float(fps):.2f} pictures a second, shows {float(measured):.2f}"
