"""Problems with the presentation times of a video, as data on which callers base their decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64

from bas.clock import milliseconds, span_text
from bas.dataset.video.containers import missing_bytes
from bas.dataset.video.scan import Declared, Scan
from bas.messages import counted

ProblemKind = Literal["truncated", "late", "hole", "backwards", "repeated", "undated", "corrupt"]

LATE = Fraction(1, 2)
"""Delay of the first picture that counts as a problem, in seconds; B-frames delay it by less."""

_GAP = Fraction(1, 2)
_BACKWARDS = Fraction(1)
_DEEPEST_REORDERING = 16  # pictures; the limit of H.264 and HEVC
_SLACK = Fraction(1)  # seconds by which the declared duration may exceed that of the pictures
_SHOWN = 3  # gaps listed in a message


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with a video."""

    kind: ProblemKind
    text: str
    """Description with numbers, for messages."""


def find_problems(
    path: Path, scan: Scan, declared: Declared, *, pts: Int64[np.ndarray, "pictures"], interval: Fraction
) -> Iterator[Problem]:
    """Find all problems of a video with at least one picture.

    Args:
        path: the file, whose size is compared with the declared one.
        scan: packets of its video stream.
        declared: properties declared by the stream.
        pts: presentation time of each picture, increasing.
        interval: seconds between consecutive pictures.
    """
    unit = declared.time_base
    if text := _truncation(path, declared, pts, interval):
        yield Problem("truncated", text)
    # Positions would count from the first picture, but labels may have been made from the container's zero.
    late = (int(pts[0]) - declared.zero_pts) * unit
    if late > LATE:
        yield Problem("late", f"the first picture comes at {float(late):.2f} s")
    if text := _gaps(pts, unit):
        yield Problem("hole", text)
    # A decoder reorders pictures only within a limit; larger steps back are jumps in time.
    back = int((np.maximum.accumulate(scan.shown) - scan.shown).max()) * unit
    if back > max(_BACKWARDS, _DEEPEST_REORDERING * interval):
        yield Problem("backwards", f"presentation times jump back by {float(back):.2f} s")
    repeated = len(scan.shown) - len(pts)
    if repeated:
        yield Problem("repeated", f"pictures with a repeated presentation time: {repeated:,}")
    if scan.undated:
        yield Problem("undated", f"pictures without a presentation time: {scan.undated:,}")
    if scan.corrupt:
        yield Problem("corrupt", f"packets marked as damaged: {scan.corrupt:,}")


def _truncation(
    path: Path, declared: Declared, pts: Int64[np.ndarray, "pictures"], interval: Fraction
) -> str:
    """Describe how much of a truncated file is present; empty for a complete one."""
    # Some containers declare the end of the stream, others its length; counting from the earlier start fits both.
    start = min(int(pts[0]), declared.zero_pts)
    present = (int(pts[-1]) - start) * declared.time_base + interval
    missing = missing_bytes(path)
    duration = declared.duration
    if not missing and (duration is None or present >= duration - _SLACK):
        return ""
    text = "truncated"
    if duration is not None:
        text += f": {float(min(present, duration)):.2f} of {float(duration):.2f} s"
    if missing:
        size = path.stat().st_size
        text += f", {size:,} of {size + missing:,} bytes"
    return text


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
