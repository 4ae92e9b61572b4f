"""Conversion between frames, milliseconds and container time; no other module converts.

A frame is an index on the model's clock, counted from the start of a video. A position is integer
milliseconds from the same start. Rates are exact fractions. The floating-point clock of the official
evaluator is not here, but in `bas.evaluate.metric.average_precision`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int64

_RATE = re.compile(r"[0-9]{1,20}(?:/[0-9]{1,20}|\.[0-9]{1,20})?")
_GAME_TIME = re.compile(r"([0-9]+) - ([0-9]+):([0-9]{2})")
_VARYING_SHARE = 0.05  # a video with a larger share of irregular intervals has a variable frame rate
_LONGEST_INTERVAL = Fraction(1, 4)  # seconds; longer intervals are gaps in any video


def frame_at(position_ms: int, fps: Fraction) -> int:
    """Frame nearest to `position_ms`, computed exactly; halves round up.

    The official evaluator truncates a float instead, and is one frame early at 6 % of the multiples of
    40 ms (SoccerNet 0.2.0, `label2vector`).

    Raises:
        ValueError: `position_ms` is negative.
    """
    if position_ms < 0:
        raise ValueError(f"position {position_ms} ms is negative")
    scaled = position_ms * fps.numerator
    unit = 1000 * fps.denominator
    return (2 * scaled + unit) // (2 * unit)


def position_of(frame: int, fps: Fraction) -> int:
    """Position in milliseconds that every reader converts back to `frame`.

    Readers either floor or round `fps * position / 1000` in floating point. A tenth of a frame after the
    frame's exact time is safe for both: 40 x frame + 4 at 25 fps.

    Raises:
        ValueError: `frame` is negative.
    """
    if frame < 0:
        raise ValueError(f"frame {frame} is negative")
    return round((frame + Fraction(1, 10)) * 1000 / fps)


def positions_of(frames: Int64[np.ndarray, "n"], fps: Fraction) -> Int64[np.ndarray, "n"]:
    """Vectorized `position_of`."""
    doubled = 2 * (10 * frames + 1) * 100 * fps.denominator
    position, rest = np.divmod(doubled + fps.numerator, 2 * fps.numerator)
    # Exact halves were rounded up; `round` in `position_of` rounds them to even.
    even: Int64[np.ndarray, "n"] = position - ((rest == 0) & (position % 2 == 1))
    return even


def game_time(half: int, position_ms: int) -> str:
    """Game time such as `"1 - 101:42"`: half, minutes and seconds, rounded down."""
    return f"{half} - {time_text(position_ms)}"


def time_text(position_ms: int, *, decimals: int = 0) -> str:
    """Minutes and seconds such as `"101:42"`, with up to three decimals, rounded down."""
    seconds, rest = divmod(position_ms, 1000)
    text = f"{seconds // 60:02d}:{seconds % 60:02d}"
    return f"{text}.{rest // 10 ** (3 - decimals):0{decimals}d}" if decimals else text


def parse_game_time(text: str) -> tuple[int, int]:
    """Parse a game time such as `"1 - 101:42"` to half and milliseconds; minutes may have any number of digits.

    Raises:
        ValueError: `text` has another format.
    """
    match = _GAME_TIME.fullmatch(text)
    if match is None or int(match[3]) > 59:
        raise ValueError(f"Invalid game time {text!r}. Expected '1 - MM:SS'")
    return int(match[1]), (int(match[2]) * 60 + int(match[3])) * 1000


def parse_rate(text: str) -> Fraction:
    """Parse a frame rate such as `"25"`, `"29.97"` or `"30000/1001"`.

    Raises:
        ValueError: it has another form, or is not between 1 and 240.
    """
    # No exponents, which `Fraction` reads: 1e999999999 would take all memory.
    match = _RATE.fullmatch(text.strip())
    _, slash, denominator = text.partition("/")
    rate = Fraction(match[0]) if match and (not slash or int(denominator)) else Fraction(0)
    if not 1 <= rate <= 240:
        raise ValueError(f"invalid frame rate {text[:40]!r}; expected 1 to 240, such as 25 or 30000/1001")
    return rate


def span_text(start_ms: int, stop_ms: int) -> str:
    """Time span such as `"12:03-12:04"`, for messages about a part of a video."""
    return f"{time_text(start_ms)}-{time_text(stop_ms)}"


def milliseconds(seconds: Fraction | float) -> int:
    """Seconds as the nearest whole number of milliseconds."""
    return round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class ClockFrames:
    """Assignment of a video's pictures to the frames of the model's clock."""

    rate: Fraction
    """Frames per second."""
    picture: Int64[np.ndarray, "frames"]
    """Index of the picture nearest to each frame, in presentation order."""
    present: Bool[np.ndarray, "frames"]
    """Whether that picture is near enough to be on screen; false inside a gap."""
    varying: bool
    """Whether the video has a variable frame rate."""

    def __len__(self) -> int:
        return len(self.picture)


def place_on_clock(
    pts: Int64[np.ndarray, "pictures"],
    time_base: Fraction,
    *,
    origin: int,
    rate: Fraction,
    interval: Fraction | None = None,
) -> ClockFrames:
    """Assign to each frame of a clock with `rate` frames per second the picture nearest in presentation time.

    A frame is present if its picture is at most half a frame, or half the interval between pictures,
    away, whichever is longer. For a constant frame rate that interval is the median, so that a lost
    picture leaves a gap. For a variable frame rate it is the 99th percentile, a quarter second at most,
    so that a phone's video has no gaps where it only slows down.

    Args:
        pts: presentation times in units of `time_base`, sorted, at least one.
        time_base: seconds per unit.
        origin: presentation time of frame 0.
        rate: frames per second.
        interval: seconds between pictures, where too many are lost to measure it.
    """
    # All times below are in units of 1 / denominator frame, where both clocks are whole numbers: a picture
    # exactly between two frames is then a real tie and no matter of rounding.
    unit = time_base * rate  # frames per unit of time
    numerator, denominator = unit.numerator, unit.denominator
    scaled = (pts - origin) * numerator  # frames x denominator, exact in int64 for any real video
    # Last frame: the time of the last picture, halves rounded up as in `frame_at`; at least one frame.
    num_frames = max(1, int((2 * int(scaled[-1]) + denominator) // (2 * denominator)) + 1)
    times = np.arange(num_frames, dtype=np.int64) * denominator
    # The two pictures around each frame; a tie goes to the later one.
    right = np.searchsorted(scaled, times).clip(0, len(pts) - 1)
    left = (right - 1).clip(0)
    picture = np.where(times - scaled[left] < np.abs(scaled[right] - times), left, right)
    distance = np.abs(scaled[picture] - times)
    longest = float(_LONGEST_INTERVAL * rate * denominator)
    # Gaps say nothing about the usual interval; if there are only gaps, assume one frame.
    intervals = np.diff(scaled)
    intervals = intervals[intervals <= longest] if np.any(intervals <= longest) else np.array([denominator])
    median = np.median(intervals)
    # Container times are rounded to their unit, which may be a whole millisecond (Matroska).
    rounding = max(float(rate / 1000) * denominator, float(numerator))
    varying = bool(np.mean(np.abs(intervals - median) > 1.01 * rounding) > _VARYING_SHARE)
    usual = float(np.quantile(intervals, 0.99) if varying else median)
    if interval is not None:
        usual = float(interval * rate * denominator)
    # Half a frame where pictures are denser than frames, half their interval where they are sparser.
    tolerance = max(denominator, usual) / 2 + rounding
    return ClockFrames(rate, picture, distance <= tolerance, varying)
