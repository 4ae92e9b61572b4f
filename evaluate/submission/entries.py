"""Faults inside one results_spotting.json; each kind is reported once, with its first entry and its count."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bas.clock import game_time, parse_game_time
from bas.errors import DataError
from bas.evaluate.metric.average_precision import VECTOR_SECONDS, official_frames
from bas.evaluate.scoring.score import FRAMERATE
from bas.files import parse_json
from bas.messages import did_you_mean
from bas.vocabulary import TEAMS

_DIGITS = re.compile(r"[0-9]{1,8}")
_GAME_TIME_SLACK_MS = 1500
_END_SLACK_MS = 40  # one frame of a 25 fps broadcast


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """Requirements on the document of one game."""

    game: str
    classes: tuple[str, ...]
    lengths_ms: Mapping[int, int | None]
    """Length of the video of every half of the game; None if it is unknown."""
    teams: bool | None
    """Whether every prediction must have a team (left or right); None makes it optional."""


@dataclass(slots=True)
class EntryReport:
    """Findings in one document."""

    faults: list[str] = field(default_factory=list)
    num_with_team: int = 0
    """Faultless predictions with a team."""
    num_without_team: int = 0


class _Fault(Exception):
    """A fault of one prediction; faults of one `kind` are counted together."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def document_faults(content: bytes, rules: DocumentRules) -> EntryReport:
    """Collect the faults in the document of one game; a fault is never raised."""
    report = EntryReport()
    try:
        document = parse_json(content, source="the document")
    except DataError as error:
        report.faults.append(str(error))
        return report
    predictions = document.get("predictions") if isinstance(document, dict) else None
    if not isinstance(predictions, list):
        report.faults.append("the list of predictions is missing")
        return report
    report.faults += _misfiled(document.get("UrlLocal"), rules.game)
    _check_entries(predictions, rules, report)
    return report


def _check_entries(predictions: list[Any], rules: DocumentRules, report: EntryReport) -> None:
    first: dict[str, str] = {}
    counts: dict[str, int] = {}
    valid = []
    for i, entry in enumerate(predictions):
        faults = list(_entry_faults(entry, rules))
        for fault in faults:
            first.setdefault(fault.kind, f"predictions[{i}]: {fault}")
            counts[fault.kind] = counts.get(fault.kind, 0) + 1
        if not faults:
            valid.append((i, entry))
    report.num_with_team = sum(entry.get("team") is not None for _, entry in valid)
    report.num_without_team = len(valid) - report.num_with_team
    for kind, text in first.items():
        more = f" (and {counts[kind] - 1:,} more of this kind)" if counts[kind] > 1 else ""
        report.faults.append(text + more)
    report.faults += _overwritten(valid)


def _entry_faults(entry: Any, rules: DocumentRules) -> Iterator[_Fault]:
    """All faults of one prediction."""
    if not isinstance(entry, dict):
        yield _Fault("entry", f"is {_quote(entry)}, not an object")
        return
    position_ms, half = _position(entry.get("position")), _integer(entry.get("half"))
    if position_ms is None:
        yield _Fault(
            "position",
            f'position {_quote(entry.get("position"))} is not a whole number of milliseconds >= 0, such as "12364"',
        )
    if half is None or half not in rules.lengths_ms:
        allowed = " or ".join(str(number) for number in rules.lengths_ms)
        yield _Fault("half", f"half {_quote(entry.get('half'))}, but the game only has half {allowed}")
    elif position_ms is not None:
        yield from _time_faults(entry, half, position_ms)
        yield from _range_faults(position_ms, rules.lengths_ms[half])
    label = entry.get("label")
    if label not in rules.classes:
        yield _Fault("label", f"unknown label {_quote(label)}{did_you_mean(label, rules.classes)}")
    if not _is_confidence(entry.get("confidence")):
        yield _Fault("confidence", f"confidence {_quote(entry.get('confidence'))} is not a number in [0, 1]")
    team = entry.get("team")
    if team not in TEAMS and (team is not None or rules.teams):
        found = "no team" if team is None else f"team {_quote(team)}"
        yield _Fault("team", f"{found}; expected left or right, the side of the picture")


def _range_faults(position_ms: int, length_ms: int | None) -> Iterator[_Fault]:
    if position_ms >= 1000 * VECTOR_SECONDS:
        yield _Fault("range", f"position {position_ms:,} ms is beyond the 120 minutes that a server scores")
    elif length_ms is not None and position_ms > length_ms + _END_SLACK_MS:
        yield _Fault("range", f"position {position_ms:,} ms is beyond the end of the video, {length_ms:,} ms")


def _time_faults(entry: Mapping[str, Any], half: int, position_ms: int) -> Iterator[_Fault]:
    text = entry.get("gameTime")
    if text is None:  # optional, because no scorer reads it
        return
    try:
        named, time_ms = parse_game_time(text if isinstance(text, str) else "")
    except ValueError:
        yield _Fault("gameTime", f"gameTime {_quote(text)} does not have the form '1 - MM:SS'")
        return
    if named != half or abs(time_ms - position_ms) > _GAME_TIME_SLACK_MS:
        own = game_time(half, position_ms)
        yield _Fault(
            "gameTime", f"gameTime {text!r} contradicts half {half}, position {position_ms:,} ms ({own})"
        )


def _overwritten(valid: list[tuple[int, dict[str, Any]]]) -> list[str]:
    """Fault of the predictions that the scorer would overwrite with a later one on the same frame."""
    # Compare frames of the official clock: positions a few ms apart may share one.
    positions = np.array([float(entry["position"]) for _, entry in valid], dtype=np.float64)
    frames = official_frames(positions, framerate=FRAMERATE).tolist()
    seen: dict[tuple[Any, ...], int] = {}
    pairs = []
    for (i, entry), frame in zip(valid, frames, strict=True):
        cell = (_integer(entry["half"]), frame, entry["label"], entry.get("team"))
        if cell in seen:
            pairs.append((seen[cell], i))
        seen[cell] = i
    if not pairs:
        return []
    one, other = pairs[0]
    more = f" (and {len(pairs) - 1:,} more pairs)" if len(pairs) > 1 else ""
    text = f"predictions[{one}] and [{other}] are of one class on one frame, where the scorer keeps only the later"
    return [f"{text}; keep the more confident one{more}"]


def _misfiled(url: Any, game: str) -> list[str]:
    if url is None or (isinstance(url, str) and url.rstrip("/") == game):
        return []
    return [f"UrlLocal is {_quote(url)}, but the file is in the folder of another game"]


def _position(value: Any) -> int | None:
    number = _integer(value)
    return number if number is not None and number >= 0 else None


def _integer(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else None


def _is_confidence(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        number = float(value)
    except ValueError:
        return False
    return math.isfinite(number) and 0 <= number <= 1


def _quote(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
