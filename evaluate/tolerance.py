"""Tolerances: the official names, what a user may type, and how a window is said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bas.errors import SettingsError

Tolerance = int | float | str | Sequence[int | float]
"""What a user may give: seconds of the whole window, several, or a name; see `parse_tolerance`."""

TOLERANCES: dict[str, tuple[float, ...]] = {
    **{f"at{seconds}": (float(seconds),) for seconds in range(1, 6)},
    "tight": (1.0, 2.0, 3.0, 4.0, 5.0),
    "loose": tuple(float(seconds) for seconds in range(5, 65, 5)),
}
"""The official names, in seconds."""

_LONGEST = 3600  # seconds; a longer window holds a half


def parse_tolerance(tolerance: Tolerance) -> tuple[float, ...]:
    """Seconds of the windows to score: a number, several, `"tight"`, `"loose"`, `"at1"` or `"1,2,3"`.

    Raises:
        SettingsError: it is none of these, or the seconds do not increase from above 0 to an hour.
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
    increasing = all(a < b for a, b in pairwise((0.0, *seconds)))
    if not seconds or not increasing or seconds[-1] > _LONGEST:
        raise SettingsError(
            f"{tolerance!r} is no tolerance. Give seconds above 0, rising, up to {_LONGEST}, as 1 or 1,2,3, "
            f"or one of {', '.join(TOLERANCES)}."
        )
    return seconds


def tolerance_name(tolerances: Sequence[float]) -> str:
    """`"1"` for one second, `"tight"` and `"loose"`, or all of the seconds."""
    names = [name for name in ("tight", "loose") if TOLERANCES[name] == tuple(tolerances)]
    return names[0] if names else ",".join(f"{seconds:g}" for seconds in tolerances)


def window_text(tolerances: Sequence[float], *, framerate: int) -> str:
    """`"1 s = ±12 frames at 25 fps"`: half of the window lies to either side."""
    seconds = ", ".join(f"{seconds:g}" for seconds in tolerances)
    reach = ", ".join(str(reach_frames(seconds, framerate=framerate)) for seconds in tolerances)
    return f"{seconds} s = ±{reach} frames at {framerate} fps"


def reach_frames(tolerance: float, *, framerate: int) -> int:
    """Frames that a detection may lie away from its spot, to either side."""
    return int(tolerance * framerate // 2)
