"""Findings inside one results_spotting.json; each kind is reported once, with its first entry and its count."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bas.clock import game_time
from bas.dataset.annotations.fields import contradicts, half_and_time, is_beyond, whole_number
from bas.errors import DataError
from bas.evaluate.metric.average_precision import VECTOR_SECONDS, official_frames
from bas.files import parse_json, require_modest
from bas.messages import did_you_mean, quote
from bas.vocabulary import TEAMS

_SCORED_MS = 1000 * VECTOR_SECONDS


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """Requirements on the document of one game."""

    game: str
    classes: tuple[str, ...]
    lengths_ms: Mapping[int, int | None]
    """Length of the video of every half of the game; None if it is unknown."""
    teams: bool | None
    """Whether every prediction must have a team (left or right); None makes it optional."""
    framerate: int
    """Frames per second of the official clock."""


@dataclass(slots=True)
class Finding:
    """Something wrong with one or more predictions of a document."""

    kind: str
    text: str
    """Description of the first occurrence."""
    is_refused: bool
    """Whether a server fails on it; otherwise it ignores or misreads it."""
    count: int = 1

    def __str__(self) -> str:
        more = f" (and {self.count - 1:,} more of this kind)" if self.count > 1 else ""
        return self.text + more


@dataclass(slots=True)
class EntryReport:
    """Findings in one document."""

    findings: list[Finding] = field(default_factory=list)
    num_with_team: int = 0
    """Predictions with a team, of those that no server fails on."""
    num_without_team: int = 0


def check_document(content: bytes, rules: DocumentRules) -> EntryReport:
    """Collect the findings in the document of one game; none is ever raised."""
    report = EntryReport()
    try:
        document = _parse(content, report)
    except DataError as error:
        report.findings.append(Finding("JSON", str(error), is_refused=True))
        return report
    predictions = document.get("predictions") if isinstance(document, dict) else None
    if not isinstance(predictions, list):
        report.findings.append(Finding("list", "the list of predictions is missing", is_refused=True))
        return report
    report.findings += _misfiled(document.get("UrlLocal"), rules.game)
    _check_entries(predictions, rules, report)
    return report


def _parse(content: bytes, report: EntryReport) -> Any:
    """Parse as a server does, which accepts NaN and repeated keys, but no byte order mark.

    Raises:
        DataError: a server could not parse it.
    """
    require_modest(content, source="the document")
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"Invalid JSON in the document: {error}.") from error
    try:
        parse_json(content, source="the document")
    except DataError as error:
        report.findings.append(Finding("JSON", str(error), is_refused=False))
    return document


def _check_entries(predictions: list[Any], rules: DocumentRules, report: EntryReport) -> None:
    by_kind: dict[tuple[str, bool], Finding] = {}
    readable = []
    for i, entry in enumerate(predictions):
        findings = list(_entry_findings(entry, rules))
        for finding in findings:
            key = finding.kind, finding.is_refused
            if key in by_kind:
                by_kind[key].count += 1
            else:
                finding.text = f"predictions[{i}]: {finding.text}"
                by_kind[key] = finding
        if not any(finding.is_refused for finding in findings):
            readable.append((i, entry))
    report.num_with_team = sum(entry.get("team") is not None for _, entry in readable)
    report.num_without_team = len(readable) - report.num_with_team
    report.findings += by_kind.values()
    report.findings += _overwritten(readable, framerate=rules.framerate)


def _entry_findings(entry: Any, rules: DocumentRules) -> Iterator[Finding]:
    """All findings in one prediction."""
    if not isinstance(entry, dict):
        yield Finding("entry", f"is {quote(entry)}, not an object", is_refused=True)
        return
    position_ms = whole_number(entry.get("position"))
    if position_ms is None:
        read_as = _as_int(entry.get("position"))
        yield Finding(
            "position",
            f'position {quote(entry.get("position"))} is not a whole number of milliseconds >= 0, such as "12364"',
            is_refused=read_as is None or read_as < -_SCORED_MS,
        )
    half = _as_int(entry.get("half"))
    if half is None or half not in rules.lengths_ms:
        allowed = " or ".join(str(number) for number in rules.lengths_ms)
        yield Finding(
            "half",
            f"half {quote(entry.get('half'))}, but the game only has half {allowed}",
            is_refused=half is None,
        )
    elif position_ms is not None:
        yield from _time_findings(entry, half, position_ms)
        yield from _range_findings(position_ms, rules.lengths_ms[half])
    team = entry.get("team")
    label = entry.get("label")
    if not isinstance(label, str) or label not in rules.classes:
        # The server of 2025, which reads teams, fails on an unknown label; the others skip it.
        is_refused = not isinstance(label, str) or team is not None
        yield Finding(
            "label", f"unknown label {quote(label)}{did_you_mean(label, rules.classes)}", is_refused
        )
    confidence = _as_float(entry.get("confidence"))
    if confidence is None or not (math.isfinite(confidence) and 0 <= confidence <= 1):
        yield Finding(
            "confidence",
            f"confidence {quote(entry.get('confidence'))} is not a number in [0, 1]",
            is_refused=confidence is None,
        )
    if team not in TEAMS and (team is not None or rules.teams):
        found = "no team" if team is None else f"team {quote(team)}"
        yield Finding("team", f"{found}; expected left or right, the side of the picture", is_refused=True)


def _range_findings(position_ms: int, length_ms: int | None) -> Iterator[Finding]:
    if position_ms >= _SCORED_MS:
        text = f"position {position_ms:,} ms is beyond the 120 minutes that a server scores"
        yield Finding("range", text, is_refused=False)
    elif length_ms is not None and is_beyond(position_ms, length_ms):
        text = f"position {position_ms:,} ms is beyond the end of the video, {length_ms:,} ms"
        yield Finding("range", text, is_refused=False)


def _time_findings(entry: Mapping[str, Any], half: int, position_ms: int) -> Iterator[Finding]:
    """Oddities of the game time, which no scorer reads."""
    text = entry.get("gameTime")
    if text is None:
        return
    parsed = half_and_time(text)
    own = game_time(half, position_ms)
    if parsed is None:
        yield Finding(
            "gameTime",
            f"gameTime {quote(text)} is usually written {own!r}; no scorer reads it",
            is_refused=False,
        )
    elif parsed[0] != half or contradicts(parsed[1], position_ms):
        contradiction = f"gameTime {text!r} contradicts half {half}, position {position_ms:,} ms ({own})"
        yield Finding("time", contradiction, is_refused=False)


def _overwritten(readable: list[tuple[int, dict[str, Any]]], *, framerate: int) -> list[Finding]:
    """Finding about the predictions that the scorer overwrites with a later one on the same frame."""
    # Compare frames of the official clock: positions a few ms apart may share one.
    positions = [min(int(entry["position"]), _SCORED_MS) for _, entry in readable]
    frames = official_frames(positions, framerate=framerate).tolist()
    seen: dict[tuple[Any, ...], int] = {}
    pairs = []
    for (i, entry), frame in zip(readable, frames, strict=True):
        cell = (int(entry["half"]), frame, entry["label"], entry.get("team"))
        if cell in seen:
            pairs.append((seen[cell], i))
        seen[cell] = i
    if not pairs:
        return []
    one, other = pairs[0]
    text = (
        f"predictions[{one}] and [{other}] are of one class on one frame, where the scorer keeps only the later; "
        "keep the more confident one"
    )
    return [Finding("frame", text, is_refused=False, count=len(pairs))]


def _misfiled(url: Any, game: str) -> list[Finding]:
    if url is None or (isinstance(url, str) and url.rstrip("/") == game):
        return []
    text = f"UrlLocal is {quote(url)}, but the file is in the folder of another game"
    return [Finding("UrlLocal", text, is_refused=False)]


def _as_int(value: Any) -> int | None:
    """The value as a server reads a position or half; None where it fails."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _as_float(value: Any) -> float | None:
    """The value as a server reads a confidence; None where it fails."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
