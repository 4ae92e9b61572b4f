"""Checks of single fields that label files and results_spotting.json share; messages are left to their readers."""

from __future__ import annotations

import re
from typing import Any

from bas.clock import parse_game_time

_DIGITS = re.compile(r"[0-9]{1,8}")
_GAME_TIME_SLACK_MS = 1500  # game times are whole seconds, rounded by some tools and truncated by others
_END_SLACK_MS = 40  # one frame of a 25 fps broadcast


def whole_number(value: Any) -> int | None:
    """An integer from 0 on, or a string of one to eight digits, as a number; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else None


def half_and_time(value: Any) -> tuple[int, int] | None:
    """Half and milliseconds of a game time such as `"1 - 101:42"`; None for anything else."""
    try:
        return parse_game_time(value if isinstance(value, str) else "")
    except ValueError:
        return None


def contradicts(time_ms: int, position_ms: int) -> bool:
    """Whether a game time and a position are further apart than rounding explains."""
    return abs(time_ms - position_ms) > _GAME_TIME_SLACK_MS


def is_beyond(position_ms: int, end_ms: int) -> bool:
    """Whether a position lies more than a frame after the end of the video."""
    return position_ms > end_ms + _END_SLACK_MS
