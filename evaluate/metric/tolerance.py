"""Tolerances: parsing, the official names, and how a window is printed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bas.errors import SettingsError

Tolerance = int | float | str | Sequence[int | float]
"""User input: seconds of the full window, several of them, or a name; see `parse_tolerance`."""

TOLERANCES: dict[str, tuple[float, ...]] = {
    **{f"at{seconds}": (float(seconds),) for seconds in range(1, 6)},
    "tight": (1.0, 2.0, 3.0, 4.0, 5.0),
    "loose": tuple(float(seconds) for seconds in range(5, 65, 5)),
}
"""The official names, with their tolerances in seconds."""

OFFICIAL_SECONDS = 1.0
"""Tolerance of the official score, mAP@1."""

_LONGEST = 3600  # seconds; a longer window would cover a whole half


def parse_tolerance(tolerance: Tolerance) -> tuple[float, ...]:
    """Full window widths in seconds from a number, several, `"tight"`, `"loose"`, `"at1"` or `"1,2,3"`.

    Raises:
        SettingsError: unknown name, or seconds that do not increase or lie outside (0, 3600].
    """
    match tolerance:
        case str() if tolerance in TOLERANCES:
            return TOLERANCES[tolerance]
        case str():
            parts: Sequence[float | str] = tolerance.split(",")
        case int() | float():
            parts = [tolerance]
        case _:
            parts = tolerance
    try:
        seconds = tuple(float(part) for part in parts)
    except ValueError:
        seconds = ()
    increasing = all(a < b for a, b in pairwise((0.0, *seconds)))  # False for NaN, too
    if not seconds or not increasing or seconds[-1] > _LONGEST:
        raise SettingsError(
            f"Invalid tolerance {tolerance!r}. Expected increasing seconds above 0, at most {_LONGEST}, such as 1 or "
            f"1,2,3, or one of {', '.join(TOLERANCES)}."
        )
    return seconds


def tolerance_name(tolerances: Sequence[float]) -> str:
    """Name for metric labels: `"1"` for one second, `"tight"`, `"loose"`, or the seconds joined by commas."""
    names = [name for name in ("tight", "loose") if TOLERANCES[name] == tuple(tolerances)]
    return names[0] if names else ",".join(f"{seconds:g}" for seconds in tolerances)


def window_text(tolerances: Sequence[float], *, framerate: int) -> str:
    """Windows in seconds and in frames to either side: `"1 s = ±12 frames at 25 fps"`."""
    seconds = ", ".join(f"{seconds:g}" for seconds in tolerances)
    half_windows = ", ".join(str(half_window_frames(seconds, framerate=framerate)) for seconds in tolerances)
    return f"{seconds} s = ±{half_windows} frames at {framerate} fps"


def half_window_frames(tolerance: float, *, framerate: int) -> int:
    """Largest distance in frames between a detection and its spot, for a full window of `tolerance` seconds."""
    return int(tolerance * framerate // 2)
