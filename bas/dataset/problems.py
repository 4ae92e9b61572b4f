"""What can be wrong with the times of a video, as data for whoever has to decide what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64

from bas.clock import milliseconds, span_text
from bas.dataset.containers import missing_bytes
from bas.dataset.scan import Declared, Scan

ProblemKind = Literal["truncated", "late", "hole", "backwards", "repeated", "undated", "corrupt"]

LATE = Fraction(1, 2)
"""Seconds: B-frames delay a first picture by less."""

_HOLE = Fraction(1, 2)
_BACKWARDS = Fraction(1)
_DEEPEST_REORDERING = 16  # pictures, in H.264 and HEVC
_SLACK = Fraction(1)  # seconds by which a declared duration may exceed the pictures
_SHOWN = 3  # holes that a message names


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    kind: ProblemKind
    text: str
    """For people, with the numbers."""


def find_problems(
    path: Path, scan: Scan, declared: Declared, *, pts: Int64[np.ndarray, "pictures"], interval: Fraction
) -> Iterator[Problem]:
    """Everything that is wrong with a video that has at least one picture.

    Args:
        path: the file, for the bytes that it should have.
        scan: its packets.
        declared: what the stream says of itself.
        pts: presentation time of each picture, rising.
        interval: seconds from one picture to the next.
    """
    unit = declared.time_base
    if text := _what_is_cut(path, declared, pts, interval):
        yield Problem("truncated", text)
    late = (int(pts[0]) - declared.zero_pts) * unit
    if late > LATE:
        yield Problem("late", f"the first picture comes at {float(late):.2f} s")
    if text := _holes(pts, unit):
        yield Problem("hole", text)
    back = int((np.maximum.accumulate(scan.shown) - scan.shown).max()) * unit
    if back > max(_BACKWARDS, _DEEPEST_REORDERING * interval):
        yield Problem("backwards", f"the times of the pictures go back by {float(back):.2f} s")
    repeated = len(scan.shown) - len(pts)
    if repeated:
        yield Problem("repeated", f"pictures that have the time of another one: {repeated:,}")
    if scan.undated:
        yield Problem("undated", f"pictures without a presentation time: {scan.undated:,}")
    if scan.corrupt:
        yield Problem("corrupt", f"packets that are marked as damaged: {scan.corrupt:,}")


def _what_is_cut(
    path: Path, declared: Declared, pts: Int64[np.ndarray, "pictures"], interval: Fraction
) -> str:
    """How much of a file that was cut is there; empty for a whole one."""
    # Some containers declare when the stream ends, the others how long it is: believe the later.
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


def _holes(pts: Int64[np.ndarray, "pictures"], unit: Fraction) -> str:
    places = np.flatnonzero(np.diff(pts) * float(unit) > float(_HOLE)).tolist()
    texts = []
    for i in places[:_SHOWN]:
        start, stop = (milliseconds((int(pts[k]) - int(pts[0])) * unit) for k in (i, i + 1))
        texts.append(f"for {(stop - start) / 1000:.2f} s at {span_text(start, stop)}")
    if not texts:
        return ""
    more = f", and in {len(places) - _SHOWN:,} more places" if len(places) > _SHOWN else ""
    return f"no picture {', '.join(texts)}{more}"
