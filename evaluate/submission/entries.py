"""Faults inside one results_spotting.json; each kind is reported once, with its first entry and its count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bas.clock import game_time
from bas.dataset.annotations.fields import contradicts, half_and_time, is_beyond, whole_number
from bas.errors import DataError
from bas.evaluate.metric.average_precision import VECTOR_SECONDS, official_frames
from bas.evaluate.scoring.score import FRAMERATE
from bas.files import parse_json
from bas.messages import counted, did_you_mean, quote
from bas.vocabulary import TEAMS


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
        yield _Fault("entry", f"is {quote(entry)}, not an object")
        return
    position_ms, half = whole_number(entry.get("position")), whole_number(entry.get("half"))
    if position_ms is None:
        yield _Fault(
            "position",
            f'position {quote(entry.get("position"))} is not a whole number of milliseconds >= 0, such as "12364"',
        )
    if half is None or half not in rules.lengths_ms:
        allowed = " or ".join(str(number) for number in rules.lengths_ms)
        yield _Fault("half", f"half {quote(entry.get('half'))}, but the game only has half {allowed}")
    elif position_ms is not None:
        yield from _time_faults(entry, half, position_ms)
        yield from _range_faults(position_ms, rules.lengths_ms[half])
    label = entry.get("label")
    if label not in rules.classes:
        yield _Fault("label", f"unknown label {quote(label)}{did_you_mean(label, rules.classes)}")
    if not _is_confidence(entry.get("confidence")):
        yield _Fault("confidence", f"confidence {quote(entry.get('confidence'))} is not a number in [0, 1]")
    team = entry.get("team")
    if team not in TEAMS and (team is not None or rules.teams):
        found = "no team" if team is None else f"team {quote(team)}"
        yield _Fault("team", f"{found}; expected left or right, the side of the picture")


def _range_faults(position_ms: int, length_ms: int | None) -> Iterator[_Fault]:
    if position_ms >= 1000 * VECTOR_SECONDS:
        yield _Fault("range", f"position {position_ms:,} ms is beyond the 120 minutes that a server scores")
    elif length_ms is not None and is_beyond(position_ms, length_ms):
        yield _Fault("range", f"position {position_ms:,} ms is beyond the end of the video, {length_ms:,} ms")


def _time_faults(entry: Mapping[str, Any], half: int, position_ms: int) -> Iterator[_Fault]:
    text = entry.get("gameTime")
    if text is None:  # optional, because no scorer reads it
        return
    parsed = half_and_time(text)
    if parsed is None:
        yield _Fault("gameTime", f"gameTime {quote(text)} does not have the form '1 - MM:SS'")
    elif parsed[0] != half or contradicts(parsed[1], position_ms):
        own = game_time(half, position_ms)
        yield _Fault(
            "gameTime", f"gameTime {text!r} contradicts half {half}, position {position_ms:,} ms ({own})"
        )


def _overwritten(valid: list[tuple[int, dict[str, Any]]]) -> list[str]:
    """Fault of the predictions that the scorer would overwrite with a later one on the same frame."""
    # Compare frames of the official clock: positions a few ms apart may share one.
    positions = [int(entry["position"]) for _, entry in valid]
    frames = official_frames(positions, framerate=FRAMERATE).tolist()
    seen: dict[tuple[Any, ...], int] = {}
    pairs = []
    for (i, entry), frame in zip(valid, frames, strict=True):
        cell = (whole_number(entry["half"]), frame, entry["label"], entry.get("team"))
        if cell in seen:
            pairs.append((seen[cell], i))
        seen[cell] = i
    if not pairs:
        return []
    one, other = pairs[0]
    more = f" (and {counted(len(pairs) - 1, 'more pair')})" if len(pairs) > 1 else ""
    text = f"predictions[{one}] and [{other}] are of one class on one frame, where the scorer keeps only the later"
    return [f"{text}; keep the more confident one{more}"]


def _misfiled(url: Any, game: str) -> list[str]:
    if url is None or (isinstance(url, str) and url.rstrip("/") == game):
        return []
    return [f"UrlLocal is {quote(url)}, but the file is in the folder of another game"]


def _is_confidence(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        number = float(value)
    except ValueError:
        return False
    return math.isfinite(number) and 0 <= number <= 1
