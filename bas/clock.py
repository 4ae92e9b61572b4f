"""Frames, milliseconds and container time: the only place that converts between them.

A frame is a tick of the model's clock, counted from the start of a video; a position is
integer milliseconds from the same start. Rates are exact fractions. The floating-point
clock of the official evaluator is not here: it lives in `bas.evaluate.precision` alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int64

_GAME_TIME = re.compile(r"([0-9]+) - ([0-9]+):([0-9]{2})")
_VARYING_SHARE = 0.05  # more irregular intervals than this make a video one of varying rate
_LONGEST_INTERVAL = Fraction(1, 4)  # seconds; a longer one is a hole in any video


def frame_at(position_ms: int, fps: Fraction) -> int:
    """Frame on screen `position_ms` after the start: the nearest tick, halves up, exact.

    The official evaluator truncates a float instead and comes out one frame early for 6 % of
    the multiples of 40 ms (SoccerNet 0.2.0, `label2vector`).

    Raises:
        ValueError: `position_ms` is negative.
    """
    if position_ms < 0:
        raise ValueError(f"position {position_ms} ms is negative")
    scaled = position_ms * fps.numerator
    unit = 1000 * fps.denominator
    return (2 * scaled + unit) // (2 * unit)


def position_of(frame: int, fps: Fraction) -> int:
    """Milliseconds to write for `frame`, such that no reader moves it.

    Readers either floor or round `fps * position / 1000`, in floating point. A tenth of a frame
    after the frame's own time is far from every border: 40 x frame + 4 at 25 fps.

    Raises:
        ValueError: `frame` is negative.
    """
    if frame < 0:
        raise ValueError(f"frame {frame} is negative")
    return round((frame + Fraction(1, 10)) * 1000 / fps)


def positions_of(frames: Int64[np.ndarray, "n"], fps: Fraction) -> Int64[np.ndarray, "n"]:
    """`position_of` every one of many frames."""
    doubled = 2 * (10 * frames + 1) * 100 * fps.denominator
    position, rest = np.divmod(doubled + fps.numerator, 2 * fps.numerator)
    even: Int64[np.ndarray, "n"] = position - ((rest == 0) & (position % 2 == 1))
    return even


def game_time(half: int, position_ms: int) -> str:
    """`"1 - 101:42"`: the half, then minutes and seconds, rounded down."""
    minutes, seconds = divmod(position_ms // 1000, 60)
    return f"{half} - {minutes:02d}:{seconds:02d}"


def parse_game_time(text: str) -> tuple[int, int]:
    """Half and milliseconds of `"1 - 101:42"`; minutes may have any number of digits.

    Raises:
        ValueError: the text has another form.
    """
    match = _GAME_TIME.fullmatch(text)
    if match is None or int(match[3]) > 59:
        raise ValueError(f"game time {text!r} is not of the form '1 - MM:SS'")
    return int(match[1]), (int(match[2]) * 60 + int(match[3])) * 1000


def span_text(start_ms: int, stop_ms: int) -> str:
    """`"12:03-12:04"`, for messages that point into a video."""
    return "-".join(game_time(1, ms).removeprefix("1 - ") for ms in (start_ms, stop_ms))


def milliseconds(seconds: Fraction | float) -> int:
    """Whole milliseconds, the nearest."""
    return round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class Ticks:
    """The pictures of a video laid on the model's clock."""

    rate: Fraction
    """Ticks a second."""
    picture: Int64[np.ndarray, "ticks"]
    """Index of the picture nearest to each tick, in presentation order."""
    present: Bool[np.ndarray, "ticks"]
    """Whether that picture is near enough to be the one on screen; false inside a hole."""
    varying: bool
    """Whether the video's rate varies."""

    def __len__(self) -> int:
        return len(self.picture)


def lay(pts: Int64[np.ndarray, "pictures"], time_base: Fraction, *, origin: int, rate: Fraction) -> Ticks:
    """Lay pictures on a clock of `rate` ticks a second by nearest presentation time.

    A tick is present when its picture is no farther than half a tick or half the interval between
    pictures, whichever is longer. That interval is the median for a video of constant rate, so that
    a lost picture shows as a hole, and the 99th percentile (a quarter second at most) for one of
    varying rate, so that a phone's video has no holes where it only slowed down.

    Args:
        pts: presentation times in units of `time_base`, sorted, at least one.
        time_base: seconds per unit.
        origin: presentation time of tick 0.
        rate: ticks a second.
    """
    unit = time_base * rate  # ticks per unit of time
    numerator, denominator = unit.numerator, unit.denominator
    scaled = (pts - origin) * numerator  # ticks x denominator, exact in int64 for any real video
    num_ticks = max(1, int((2 * int(scaled[-1]) + denominator) // (2 * denominator)) + 1)
    wanted = np.arange(num_ticks, dtype=np.int64) * denominator
    right = np.searchsorted(scaled, wanted).clip(0, len(pts) - 1)
    left = (right - 1).clip(0)
    picture = np.where(wanted - scaled[left] < np.abs(scaled[right] - wanted), left, right)
    distance = np.abs(scaled[picture] - wanted)
    longest = float(_LONGEST_INTERVAL * rate * denominator)
    intervals = np.diff(scaled)
    intervals = intervals[intervals <= longest] if np.any(intervals <= longest) else np.array([denominator])
    median = np.median(intervals)
    millisecond = max(float(rate / 1000) * denominator, float(numerator))
    varying = bool(np.mean(np.abs(intervals - median) > 1.01 * millisecond) > _VARYING_SHARE)
    interval = float(np.quantile(intervals, 0.99) if varying else median)
    # Container times are rounded to their unit, which may be a whole millisecond (Matroska).
    reach = max(denominator, interval) / 2 + millisecond
    return Ticks(rate, picture, distance <= reach, varying)
