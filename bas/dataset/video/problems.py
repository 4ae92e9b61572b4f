"""Problems with the presentation times of a video, as data on which callers base their decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int64

from bas.clock import milliseconds, span_text
from bas.dataset.video.endings import continuation, truncation
from bas.dataset.video.scan import Declared, Scan
from bas.messages import counted

if TYPE_CHECKING:
    from av import VideoStream

ProblemKind = Literal["truncated", "elsewhere", "late", "hole", "backwards", "repeated", "undated", "corrupt"]

LATE = Fraction(1, 2)
"""Delay of the first picture that counts as a problem, in seconds; B-frames delay it by less."""

_GAP = Fraction(1, 2)
_RECORDING = Fraction(1)  # seconds; shorter recordings on average are a clock that jumps to and fro
_SHOWN = 3  # gaps listed in a message


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with a video."""

    kind: ProblemKind
    text: str
    """Description with numbers, for messages."""


def find_problems(
    stream: VideoStream,
    path: Path,
    scan: Scan,
    declared: Declared,
    *,
    pts: Int64[np.ndarray, "pictures"],
    interval: Fraction,
) -> Iterator[Problem]:
    """Find all problems of a video with at least one picture.

    Args:
        stream: open video stream.
        path: the file, whose size is compared with the declared one.
        scan: packets of its video stream.
        declared: properties declared by the stream.
        pts: presentation time of each picture, increasing.
        interval: seconds between consecutive pictures.
    """
    unit, start_pts = declared.time_base, int(pts[0])
    end = max(int(pts[-1]) * unit + interval, Fraction(0) if scan.moved else scan.end_pts * unit)
    if text := truncation(stream, path, scan, declared, start_pts=start_pts, end=end):
        yield Problem("truncated", text)
    if text := continuation(stream, path, scan, declared, start_pts=start_pts, end=end):
        yield Problem("elsewhere", text)
    # Positions would count from the first picture, but labels may have been made from the container's zero. Pictures
    # that nobody can decode, before the first keyframe of a broadcast recording, delay nothing.
    if (scan.first_pts - declared.zero_pts) * unit > LATE:
        late = (start_pts - declared.zero_pts) * unit
        yield Problem("late", f"the first picture comes at {float(late):.2f} s")
    if text := _gaps(pts, unit):
        yield Problem("hole", text)
    jumps = len(scan.times.starts)
    if jumps * _RECORDING > (int(pts[-1]) - start_pts) * unit:
        yield Problem("backwards", f"presentation times start again {jumps:,} times")
    repeated = len(scan.shown) - len(pts)
    if repeated:
        yield Problem("repeated", f"pictures with a repeated presentation time: {repeated:,}")
    if scan.times.undated:
        yield Problem("undated", f"pictures without a presentation time: {scan.times.undated:,}")
    if scan.corrupt:
        yield Problem("corrupt", f"packets marked as damaged: {scan.corrupt:,}")
    if scan.blank:
        yield Problem("corrupt", f"packets that hold only zeros: {scan.blank:,}")


def _gaps(pts: Int64[np.ndarray, "pictures"], unit: Fraction) -> str:
    # Index i: no picture between pts[i] and pts[i + 1].
    indices = np.flatnonzero(np.diff(pts) * float(unit) > float(_GAP)).tolist()
    texts = []
    for i in indices[:_SHOWN]:
        start, stop = (milliseconds((int(pts[k]) - int(pts[0])) * unit) for k in (i, i + 1))
        texts.append(f"for {(stop - start) / 1000:.2f} s at {span_text(start, stop)}")
    if not texts:
        return ""
    more = f", and in {counted(len(indices) - _SHOWN, 'more place')}" if len(indices) > _SHOWN else ""
    return f"no picture {', '.join(texts)}{more}"
