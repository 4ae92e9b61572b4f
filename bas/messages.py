"""Words for messages: lists, counts, nearest names, quotes, percentages."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SHOWN = 8


def listing(names: Sequence[str], *, shown: int = _SHOWN) -> str:
    """Names as a list for messages, shortened after the first `shown`."""
    if not names:
        return "nothing"
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 match`, `1,200 matches`."""
    plural = f"{noun}es" if noun.endswith(("ch", "ss")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def did_you_mean(value: Any, known: Sequence[str]) -> str:
    """Hint in brackets: the known name nearest to `value`, or all known names; empty if `value` is not a string."""
    if not isinstance(value, str):
        return ""
    by_case = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(value.strip().casefold(), by_case, 1)
    return f" (did you mean {by_case[near[0]]}?)" if near else f" (expected {', '.join(known)})"


def not_existing(path: Path) -> str:
    """Sentence about a path that is no file or folder, with the nearest name beside it."""
    if path.exists():
        return f"{path} is {'a folder' if path.is_dir() else 'a pipe or a device'}, not a file."
    names = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 1)
    return f"{path} does not exist." + (f" Did you mean {path.parent / near[0]}?" if near else "")


def percent(value: float, digits: int = 2) -> str:
    """A ratio in percent, without the sign; `undefined` for NaN."""
    return "undefined" if math.isnan(value) else f"{100 * value:.{digits}f}"


def quote(value: Any) -> str:
    """The value as Python writes it, shortened to 40 characters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
