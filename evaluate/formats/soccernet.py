"""SoccerNet's two document formats: labels as the official scorer reads them, and results_spotting.json.

Reading is exactly as lenient as the official scorer (SoccerNet 0.2.0, `label2vector` and
`predictions2vector`): we accept every value it accepts, and raise a clear error where it crashes.
`bas.evaluate.metric.timelines` counts what it then ignores. In contrast, `bas.dataset` reads labels for
training strictly, and `results_document` validates what we write.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from bas import clock
from bas.dataset.annotations.osl_and_e2e_spot import parse_video_list, soccernet_documents
from bas.errors import DataError
from bas.evaluate.formats.documents import Document, gather_documents
from bas.evaluate.metric.average_precision import VECTOR_SECONDS
from bas.files import require_modest
from bas.types import Detection, Prediction, Spot

RESULTS_FILE = "results_spotting.json"

LABEL_FILES = "Labels-ball.json", "Labels-v2.json"

Entry = TypeVar("Entry")


def read_scored_labels(path: Path) -> dict[str, tuple[Spot, ...]]:
    """Read the annotations of every game in SoccerNet, OSL or E2E-Spot JSON.

    Args:
        path: a folder or zip archive of label files, or a single file.

    Raises:
        MissingError: there are no labels.
        DataError: a document is damaged, or the official scorer could not read it.
    """
    documents = gather_documents(path, *LABEL_FILES, "*.json")
    parsed = [one for game, document in documents.items() for one in _game_documents(game, document)]
    # `*.json` also matches files that are not labels, such as a manifest; if none has annotations, report the first.
    labels = [one for one in parsed if "annotations" in one.content]
    return {
        one.game: tuple(_parse_entries(one.content, "annotations", _spot, source=one.source))
        for one in labels or parsed
    }


def read_results(path: Path) -> dict[str, tuple[Prediction, ...]]:
    """Read the predictions of every game in SoccerNet's results_spotting.json, OSL JSON or E2E-Spot's JSON.

    Args:
        path: a folder or zip archive of results_spotting.json files, or a single file (E2E-Spot's may end in .gz).

    Raises:
        MissingError: there are no results.
        DataError: a document is damaged, or the official scorer could not read it.
    """
    return {
        one.game: parse_predictions(one.content, source=one.source)
        for game, document in gather_documents(path, RESULTS_FILE).items()
        for one in _game_documents(game, document, key="predictions")
    }


def join_halves(
    predictions: Mapping[str, tuple[Prediction, ...]], games: Collection[str]
) -> dict[str, tuple[Prediction, ...]]:
    """Join predictions listed per video of a half (`<game>/1_*` in osl.json, `<game>/1` in E2E-Spot) into their game.

    Args:
        predictions: predictions by game or by video of a half.
        games: ids of the known games; entries of other names are returned unchanged.
    """
    joined: dict[str, tuple[Prediction, ...]] = {}
    for name, each in predictions.items():
        game, _, stem = name.rpartition("/")
        if name not in games and game in games and stem.partition("_")[0] in ("1", "2"):
            name, each = game, tuple(replace(one, half=int(stem[0])) for one in each)
        joined[name] = (*joined.get(name, ()), *each)
    return joined


def parse_predictions(document: Mapping[str, Any], *, source: str) -> tuple[Prediction, ...]:
    """Parse the predictions of one loaded document, in document order.

    Args:
        document: content of a results_spotting.json.
        source: name of the document in error messages.

    Raises:
        DataError: the official scorer could not read it.
    """
    return tuple(_parse_entries(document, "predictions", _prediction, source=source))


def results_document(
    game: str, detections: Mapping[int, Iterable[Detection]], *, classes: Collection[str], fps: Fraction
) -> dict[str, Any]:
    """The results_spotting.json document of one game: sorted by time, all values as strings.

    Positions are chosen so that every reader maps them back to the same frame. Of several
    detections of one class and team on one frame, only the highest is kept. If both teams are
    detected on one frame, the higher comes last, because the scorer without teams keeps the last.

    Args:
        game: id of the game, which is its folder in the dataset.
        detections: detections by half; only half 1 if one video holds both halves.
        classes: allowed labels, without teams.
        fps: frames per second of the detections' clock.

    Raises:
        DataError: a label is not one of the classes, or a confidence is not a number in [0, 1].
    """
    highest: dict[tuple[int, int, str, str | None], Detection] = {}
    for half, of_half in detections.items():
        for detection in of_half:
            _require_readable(detection, game=game, classes=classes)
            cell = (half, detection.frame, detection.label, detection.team)
            if cell not in highest or detection.score > highest[cell].score:
                highest[cell] = detection
    # Sort by (half, frame, label), then by score: the team must not decide which of two teams comes last.
    ordered = sorted(highest.items(), key=lambda item: (*item[0][:3], item[1].score))
    return {
        "UrlLocal": game,
        "predictions": [_entry(half, detection, fps=fps) for (half, *_), detection in ordered],
    }


def _require_readable(detection: Detection, *, game: str, classes: Collection[str]) -> None:
    where = f"{game}, frame {detection.frame}"
    if detection.label not in classes:
        raise DataError(
            f"{where}: unknown label {detection.label!r}, which the scorer would skip. Expected one of "
            f"{', '.join(classes)}. Pass the classes of the model that made the predictions."
        )
    if not (math.isfinite(detection.score) and 0 <= detection.score <= 1):
        raise DataError(
            f"{where}: invalid confidence {detection.score} of {detection.label}, which the scorer would misread. "
            "Expected a number in [0, 1]: pass probabilities, not logits. NaN means that the model is broken."
        )


def _entry(half: int, detection: Detection, *, fps: Fraction) -> dict[str, str]:
    position_ms = clock.position_of(detection.frame, fps)
    entry = {
        "gameTime": clock.game_time(half, position_ms),
        "label": detection.label,
        "position": str(position_ms),
        "half": str(half),
        "confidence": str(float(detection.score)),
    }
    return entry if detection.team is None else {**entry, "team": detection.team}


@dataclass(frozen=True, slots=True)
class _GameDocument:
    """Content of one game, in SoccerNet's form."""

    game: str
    content: Mapping[str, Any]
    source: str


def _game_documents(game: str, document: Document, *, key: str = "annotations") -> list[_GameDocument]:
    """The games in a document: one in SoccerNet's form, any number in OSL or E2E-Spot JSON."""
    content = _load(document)
    videos = parse_video_list(content, source=document.source)
    if videos is not None:
        return [
            _GameDocument(name, {key: one["annotations"]}, f"{document.source}: {name}")
            for name, one in soccernet_documents(videos, source=document.source).items()
        ]
    if not isinstance(content, dict):
        raise DataError(f"{document.source} is a JSON {type(content).__name__}. Expected an object.")
    return [_GameDocument(game, content, document.source)]


def _load(document: Document) -> Any:
    """Parse like the official scorer, which accepts NaN and repeated keys."""
    require_modest(document.content, source=document.source)
    try:
        return json.loads(document.content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{document.source} is not valid JSON: {error}. Restore the file from its source."
        ) from error


def _parse_entries(
    document: Mapping[str, Any], key: str, parse: Callable[[Any], Entry], *, source: str
) -> list[Entry]:
    entries = document.get(key)
    if not isinstance(entries, list):
        raise DataError(f"{source} has no list {key!r}. Is it a different kind of file?")
    result = []
    for index, entry in enumerate(entries):
        try:
            result.append(parse(entry))
        except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
            raise DataError(
                f"{source}: {key}[{index}]: {_reason(error)}, in {json.dumps(entry)[:200]}. "
                "The official scorer crashes on it too. Fix this entry."
            ) from error
    return result


def _spot(entry: Any) -> Spot:
    time = entry["gameTime"]
    # Two digits of minutes: loses the hundreds from 100:00 on, as the official scorer does.
    minutes, seconds = int(time[-5:-3]), int(time[-2:])
    position = entry["position"] if "position" in entry else 1000 * (60 * minutes + seconds)
    return Spot(
        position_ms=_position(position),
        label=_text(entry["label"]),
        team=_team(entry),
        visible=entry.get("visibility") != "not shown",
        half=int(time[0]),
    )


def _prediction(entry: Any) -> Prediction:
    return Prediction(
        position_ms=_position(entry["position"]),
        half=int(entry["half"]),
        label=_text(entry["label"]),
        confidence=float(entry["confidence"]),
        team=_team(entry),
    )


def _position(value: Any) -> int:
    position_ms = int(value)
    # Negative positions index the scorer's vector from its end, so they are legal; below 2**53 float64 is exact.
    if not -1000 * VECTOR_SECONDS <= position_ms < 1 << 53:
        raise ValueError(f"position {position_ms} ms is out of range")
    return position_ms


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"label {value!r} is not a string")
    return value


def _team(entry: Mapping[str, Any]) -> str | None:
    team = entry.get("team")
    return team if isinstance(team, str) else None


def _reason(error: Exception) -> str:
    return f"missing key {error}" if isinstance(error, KeyError) else str(error)
