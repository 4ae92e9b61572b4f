"""A submission: one zip as the challenge servers take it, checked as strictly as they are silent."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bas.clock import game_time
from bas.errors import DataError
from bas.evaluate.soccernet import RESULTS_FILE
from bas.files import atomic_write, parse_json

_KEYS = {"gameTime", "label", "position", "half", "confidence"}
_MOST_MS = 120 * 60 * 1000
_STAMP = (1980, 1, 1, 0, 0, 0)
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a submission has to hold."""

    halves: Mapping[str, Collection[int]]
    """Halves of every game, by id."""
    classes: Sequence[str]
    teams: bool
    """Whether every prediction names left or right."""


def write_submission(path: Path, documents: Mapping[str, Mapping[str, Any]], wanted: Wanted) -> None:
    """Write the zip of results documents by game, open it again, and check it; a bad one is not left behind.

    Equal documents give equal bytes.

    Raises:
        DataError: with every fault.
    """
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for game in sorted(documents):
            info = zipfile.ZipInfo(f"{game}/{RESULTS_FILE}", _STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, json.dumps(documents[game], indent=1, ensure_ascii=False, allow_nan=False))
    content = memory.getvalue()
    require_sound(content, wanted, source=str(path))
    atomic_write(path, content)


def require_sound(content: bytes, wanted: Wanted, *, source: str) -> None:
    """Refuse a zip that a server would refuse or misread.

    Raises:
        DataError: with every fault.
    """
    found = faults(content, wanted)
    if found:
        more = [f"  ... and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
        lines = "\n".join([*(f"  {fault}" for fault in found[:_SHOWN]), *more])
        raise DataError(f"{source} is no sound submission, {len(found):,} faults:\n{lines}")


def faults(content: bytes, wanted: Wanted) -> list[str]:
    """All that is wrong with a zip, in words; nothing for a sound one."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                return [f"{damaged} is damaged: its checksum is wrong"]
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            found = _path_faults(list(members), wanted)
            for game in wanted.halves:
                name = f"{game}/{RESULTS_FILE}"
                if name in members:
                    found += [
                        f"{name}: {fault}" for fault in _document_faults(archive.read(name), game, wanted)
                    ]
            return found
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        return [f"it cannot be opened as a zip: {error}"]


def names_teams(content: bytes) -> bool:
    """Whether any entry of a zip names a team, so that all have to."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(b'"team"' in archive.read(name) for name in archive.namelist())
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return False  # `faults` says what is wrong with it


def _path_faults(names: Sequence[str], wanted: Wanted) -> list[str]:
    expected = {f"{game}/{RESULTS_FILE}" for game in wanted.halves}
    found = []
    wrapped = {
        name.removesuffix(one).rstrip("/")
        for name in names
        for one in expected
        if name != one and name.endswith(f"/{one}")
    }
    if wrapped:
        found.append(
            f"a folder, {min(wrapped)}, stands around the matches: they have to stand at the zip's root"
        )
    if len(set(names)) < len(names):
        found.append("a file is in it twice")
    found += [f"{name} is missing" for name in sorted(expected - set(names))]
    if not wrapped:
        found += [f"{name} does not belong in it" for name in sorted(set(names) - expected)]
    return found


def _document_faults(content: bytes, game: str, wanted: Wanted) -> list[str]:
    try:
        document = parse_json(content, source="it")
    except DataError as error:
        return [str(error)]
    if not isinstance(document, dict) or not isinstance(document.get("predictions"), list):
        return ["it has no list 'predictions'"]
    found = []
    if document.get("UrlLocal") != game:
        found.append(f"UrlLocal is {document.get('UrlLocal')!r}, not the match's own path")
    cells: set[tuple[Any, ...]] = set()
    for number, entry in enumerate(document["predictions"]):
        told = _entry_faults(entry, wanted.halves[game], wanted)
        found += [f"predictions[{number}]: {fault}" for fault in told]
        if not told:
            cell = (entry["half"], entry["position"], entry["label"], entry.get("team"))
            if cell in cells:
                found.append(
                    f"predictions[{number}]: {entry['label']} at {entry['position']} ms stands there twice"
                )
            cells.add(cell)
    return found


def _entry_faults(entry: Any, halves: Collection[int], wanted: Wanted) -> list[str]:
    if not isinstance(entry, dict):
        return [f"it is a {type(entry).__name__}, not an object"]
    missing = _KEYS - entry.keys()
    if missing:
        return [f"it lacks {', '.join(sorted(missing))}"]
    found = []
    half, position = _integer(entry["half"]), _integer(entry["position"])
    if half not in halves:
        found.append(f"half {entry['half']!r} is none of this match, which has {_listed(halves)}")
    if position is None or not 0 <= position < _MOST_MS:
        found.append(f"position {entry['position']!r} is no time of a half in milliseconds")
    elif half in halves and half is not None and entry["gameTime"] != game_time(half, position):
        found.append(
            f"gameTime {entry['gameTime']!r} is not that of {position} ms, {game_time(half, position)!r}"
        )
    if entry["label"] not in wanted.classes:
        found.append(f"label {entry['label']!r} is none of the {len(wanted.classes)} classes")
    confidence = _number(entry["confidence"])
    if confidence is None or not 0 <= confidence <= 1:
        found.append(f"confidence {entry['confidence']!r} is not in [0, 1]")
    if wanted.teams and entry.get("team") not in ("left", "right"):
        found.append(f"team {entry.get('team')!r} is neither left nor right")
    return found


def _integer(value: Any) -> int | None:
    try:
        return int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _listed(halves: Collection[int]) -> str:
    return " and ".join(map(str, sorted(halves)))
