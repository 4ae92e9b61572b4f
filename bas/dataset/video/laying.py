"""One rising clock for all packets of a file: recordings joined one after the other, and derived times.

A transport stream may hold several recordings whose clocks each start anew, and its pictures need not
all carry a time. Where this changes any time, the packets are known by their number in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int64

NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for the time of a packet that has none."""

_STEP = Fraction(1)
_DEEPEST_REORDERING = 16  # pictures; the limit of H.264 and HEVC
_GLITCH = (
    8  # packets; a shorter stretch with other times, after which the clock goes on as before, is an error
)
_NEW_CLOCK = Fraction(
    3600
)  # a longer step ahead in a transport stream is another clock, not an hour without pictures
_LEAST, _MOST = 0.75, 1.25  # intervals between pictures that are evenly spaced
_HOLE = 4  # intervals without a picture
_MEASURED = 64  # packets from the start whose spacing counts as that of all pictures


@dataclass(frozen=True, slots=True)
class PacketTimes:
    """Presentation times of all packets of a stream."""

    pts: Int64[np.ndarray, "packets"]
    """Time of each packet, in file order; `NO_TIME` where it is unknown."""
    starts: tuple[int, ...]
    """Numbers of the packets with which a further recording begins."""
    hidden: Bool[np.ndarray, "packets"]
    """True for packets that cannot be decoded, because they refer to pictures before their recording."""
    derived: int
    """Number of packets whose time follows from those around them."""
    undated: int
    """Number of pictures whose time is unknown."""


def lay_out(
    pts: Int64[np.ndarray, "packets"],
    key: Bool[np.ndarray, "packets"],
    *,
    unit: Fraction,
    fps: Fraction | None,
    reordered: bool,
    clockless: bool,
) -> PacketTimes:
    """Lay all packets on one clock.

    Args:
        pts: time of each packet as read from the file, in file order; `NO_TIME` where it carries none.
        key: whether a decoder can start at the packet.
        unit: seconds per unit of time.
        fps: declared pictures per second.
        reordered: whether pictures are decoded in another order than they are shown.
        clockless: whether the clock of the container starts anywhere, as in a transport stream.
    """
    dated = np.flatnonzero(pts != NO_TIME)
    laid, starts = pts.copy(), tuple[int, ...]()
    if len(dated):
        interval = _interval(pts[dated], unit, fps=fps if len(dated) < len(pts) else None)
        laid[dated], starts = _join(pts, dated, key, interval=interval, unit=unit, clockless=clockless)
    derived = undated = 0
    if np.any(laid == NO_TIME) and not (len(dated) and _are_fields(laid, interval)):
        filled = laid if reordered or len(dated) == 0 else _between(laid, starts, interval=interval)
        undated = int(np.count_nonzero(filled == NO_TIME))
        derived = int(np.count_nonzero(laid == NO_TIME)) - undated
        laid = filled
    return PacketTimes(laid, starts, _undecodable(laid, key, starts), derived, undated)


def _interval(dated: Int64[np.ndarray, "dated"], unit: Fraction, *, fps: Fraction | None) -> int:
    """Units of time between pictures; declared only where packets without a time widen the measured one."""
    steps = np.diff(np.sort(dated[:_MEASURED]))
    steps = steps[steps > 0]
    if fps is not None or len(steps) == 0:
        return max(1, round(1 / (fps or 25) / unit))
    return int(np.median(steps))


def _join(
    pts: Int64[np.ndarray, "packets"],
    dated: Int64[np.ndarray, "dated"],
    key: Bool[np.ndarray, "packets"],
    *,
    interval: int,
    unit: Fraction,
    clockless: bool,
) -> tuple[Int64[np.ndarray, "dated"], tuple[int, ...]]:
    """Return the times of the dated packets on one clock, and the packets at which the clock started again."""
    carried = pts[dated]
    laid = carried.copy()
    most = max(int(_STEP / unit), _DEEPEST_REORDERING * interval)
    borders = np.flatnonzero(np.abs(np.diff(laid)) > most) + 1
    if len(borders) == 0:
        return laid, ()
    stretches = [slice(a, b) for a, b in zip([0, *borders], [*borders, len(laid)], strict=True)]
    starts, shift, end = [], 0, int(laid[stretches[0]].max())  # `end` is the latest time laid so far
    for i, stretch in enumerate(stretches[1:], 1):
        own = carried[stretch]
        following = None if i + 1 == len(stretches) else int(carried[stretches[i + 1].start]) + shift
        if len(own) < _GLITCH and _is_reordered(carried, stretch, most=most):
            laid[stretch] = own + shift
            end = max(end, int(own.max()) + shift)
            continue
        if len(own) < _GLITCH and following is not None and abs(following - end) <= most:
            laid[stretch] = NO_TIME
            continue
        keys = np.flatnonzero(key[dated[stretch]])
        first = int(own[keys[0] if len(keys) else 0])
        step = first + shift - end
        if step < interval - most or (clockless and step > _NEW_CLOCK / unit):
            shift = end + interval - first
            starts.append(int(dated[stretch.start]))
        laid[stretch] = own + shift
        end = max(end, int(own.max()) + shift)
    return laid, tuple(starts)


def _is_reordered(pts: Int64[np.ndarray, "dated"], stretch: slice, *, most: int) -> bool:
    """Return whether a few packets lie across a hole: their times fit packets that are near in the file."""
    near = slice(max(0, stretch.start - _DEEPEST_REORDERING), stretch.stop + _DEEPEST_REORDERING)
    others = np.concatenate([pts[near.start : stretch.start], pts[stretch.stop : near.stop]])
    return bool(np.all(np.abs(pts[stretch, None] - others).min(axis=1, initial=most + 1) <= most))


def _are_fields(laid: Int64[np.ndarray, "packets"], interval: int) -> bool:
    """Return whether packets without a time are second fields: then those with one already show every picture."""
    steps = np.diff(np.sort(laid[laid != NO_TIME]))
    steps = steps[steps <= _HOLE * interval]
    unknown = int(np.count_nonzero(laid == NO_TIME))
    return 3 * unknown >= len(laid) and len(steps) > 0 and bool(steps.mean() <= _MOST * interval)


def _between(
    laid: Int64[np.ndarray, "packets"], starts: tuple[int, ...], *, interval: int
) -> Int64[np.ndarray, "packets"]:
    """Return the times with those of packets between evenly spaced ones; where some packets are lost, none is derived."""
    filled = laid.copy()
    for start, stop in zip((0, *starts), (*starts, len(laid)), strict=True):
        part = laid[start:stop]
        known, unknown = np.flatnonzero(part != NO_TIME), np.flatnonzero(part == NO_TIME)
        if len(known) == 0:
            continue
        after = np.searchsorted(known, unknown)
        left, right = known[(after - 1).clip(0)], known[after.clip(max=len(known) - 1)]
        # Beyond the first and the last known time the spacing is that of all pictures.
        inside = (left < unknown) & (unknown < right)
        spacing = np.where(inside, (part[right] - part[left]) / np.maximum(right - left, 1), interval)
        regular = (_LEAST * interval <= spacing) & (spacing <= _MOST * interval)
        anchor = np.where(left < unknown, left, right)
        times = np.rint(part[anchor] + (unknown - anchor) * spacing).astype(np.int64)
        filled[start + unknown[regular]] = times[regular]
    return filled


def _undecodable(
    laid: Int64[np.ndarray, "packets"], key: Bool[np.ndarray, "packets"], starts: tuple[int, ...]
) -> Bool[np.ndarray, "packets"]:
    """Mark the packets before the first keyframe of each recording, and those that are shown before it.

    Recordings are cut anywhere, also at a keyframe of an open GOP: no decoder shows what refers to
    pictures before the cut.
    """
    hidden = np.zeros(len(laid), bool)
    for start, stop in zip((0, *starts), (*starts, len(laid)), strict=True):
        keys = start + np.flatnonzero(key[start:stop] & (laid[start:stop] != NO_TIME))
        if len(keys):
            hidden[start : keys[0]] = True
            hidden[start:stop] |= laid[start:stop] < laid[keys[0]]
    hidden &= laid != NO_TIME
    return hidden
