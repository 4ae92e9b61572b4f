"""SoccerNet's two documents: labels as the official scorer reads them, and results_spotting.json.

Reading is as lenient as the official scorer (SoccerNet 0.2.0, `label2vector` and
`predictions2vector`): where it takes a value so do we, where it raises we say why. What it then
ignores is counted in `bas.evaluate.timelines`. Labels for training are read strictly, by
`bas.dataset`; and so is what we write here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from bas import clock, files
from bas.dataset.interchange import soccernet_documents
from bas.errors import DataError
from bas.evaluate.documents import Document, gather
from bas.evaluate.precision import VECTOR_SECONDS
from bas.types import Detection, Spot

RESULTS_FILE = "results_spotting.json"
LABEL_FILES = "Labels-ball.json", "Labels-v2.json"

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One entry of a results document, as the official scorer sees it."""

    position_ms: int
    half: int
    label: str
    confidence: float
    """Any number, NaN and infinity too: the official scorer takes them all."""
    team: str | None


def read_labels(path: Path) -> dict[str, tuple[Spot, ...]]:
    """Annotations by game: of a folder or archive of labels, or of one document; OSL and E2E-Spot JSON too.

    Raises:
        MissingError: there are no labels.
        DataError: a document is damaged, or the official scorer could not read it.
    """
    documents = gather(path, *LABEL_FILES, "*.json")
    parsed = [one for game, document in documents.items() for one in _parsed(game, document)]
    labels = [one for one in parsed if "annotations" in one.content]
    return {
        one.game: tuple(_each(one.content, "annotations", _spot, source=one.source))
        for one in labels or parsed
    }


def read_results(path: Path) -> dict[str, tuple[Prediction, ...]]:
    """Predictions by game: of a folder or archive of results_spotting.json, or of one document; OSL JSON too.

    Raises:
        MissingError: there are no results.
        DataError: a document is damaged, or the official scorer could not read it.
    """
    return {
        one.game: predictions_of(one.content, source=one.source)
        for game, document in gather(path, RESULTS_FILE).items()
        for one in _parsed(game, document, key="predictions")
    }


def with_halves_joined(
    predictions: Mapping[str, tuple[Prediction, ...]], games: Collection[str]
) -> dict[str, tuple[Prediction, ...]]:
    """Predictions by game, where some are of the videos of its halves, `<game>/1_*` and `<game>/2_*`, as in osl.json."""
    joined: dict[str, tuple[Prediction, ...]] = {}
    for name, each in predictions.items():
        game, _, stem = name.rpartition("/")
        if name not in games and game in games and stem.startswith(("1_", "2_")):
            name, each = game, tuple(replace(one, half=int(stem[0])) for one in each)
        joined[name] = (*joined.get(name, ()), *each)
    return joined


def predictions_of(document: Mapping[str, Any], *, source: str) -> tuple[Prediction, ...]:
    """Predictions of one parsed document, in its order.

    Raises:
        DataError: the official scorer could not read it.
    """
    return tuple(_each(document, "predictions", _prediction, source=source))


def results_document(
    game: str, detections: Mapping[int, Iterable[Detection]], *, classes: Collection[str], fps: Fraction
) -> dict[str, Any]:
    """What is written for one game: sorted by time, in strings, at positions that no reader moves.

    Of several detections of one class and team on one frame the highest is kept. Where two teams
    are claimed on one frame the higher comes last: the scorer without teams keeps the last.

    Args:
        game: its id, which is its folder in the dataset.
        detections: by half; 1 alone where one file holds both.
        classes: labels that may occur.
        fps: ticks a second of the detections' clock.

    Raises:
        DataError: a label is no class, or a confidence is not a number in [0, 1].
    """
    claims: dict[tuple[int, int, str, str | None], Detection] = {}
    for half, claimed in detections.items():
        for detection in claimed:
            _refuse_unreadable(detection, game=game, classes=classes)
            cell = (half, detection.frame, detection.label, detection.team)
            if cell not in claims or detection.score > claims[cell].score:
                claims[cell] = detection
    ordered = sorted(claims.items(), key=lambda item: (*item[0][:3], item[1].score))
    return {
        "UrlLocal": game,
        "predictions": [_written(half, detection, fps=fps) for (half, *_), detection in ordered],
    }


def write_results(path: Path, document: Mapping[str, Any]) -> None:
    """Write what `results_document` made, whole and durable."""
    files.write_json(path, document)


def _refuse_unreadable(detection: Detection, *, game: str, classes: Collection[str]) -> None:
    where = f"{game}, frame {detection.frame}"
    if detection.label not in classes:
        raise DataError(
            f"{where}: {detection.label!r} is none of the classes {', '.join(classes)}, and the scorer would "
            "skip it. Write the predictions with the classes of the model that made them."
        )
    if not (math.isfinite(detection.score) and 0 <= detection.score <= 1):
        raise DataError(
            f"{where}: the confidence of {detection.label} is {detection.score}, not in [0, 1], which the "
            "scorer would misread. Pass probabilities, not logits; a NaN means that the model is broken."
        )


def _written(half: int, detection: Detection, *, fps: Fraction) -> dict[str, str]:
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
class _Parsed:
    """The content of one game."""

    game: str
    content: Mapping[str, Any]
    source: str


def _parsed(game: str, document: Document, *, key: str = "annotations") -> list[_Parsed]:
    """The games of a document: one in SoccerNet's form, any number in that of others."""
    content = _load(document)
    foreign = soccernet_documents(content, source=document.source)
    if foreign is not None:
        return [
            _Parsed(name, {key: one["annotations"]}, f"{document.source}: {name}")
            for name, one in foreign.items()
        ]
    if not isinstance(content, dict):
        raise DataError(f"{document.source} holds a {type(content).__name__}, not an object with entries.")
    return [_Parsed(game, content, document.source)]


def _load(document: Document) -> Any:
    """As the official scorer parses: NaN and repeated keys pass."""
    try:
        return json.loads(document.content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{document.source} is not JSON: {error}. Restore the file from its source."
        ) from error


def _each(document: Mapping[str, Any], key: str, read: Callable[[Any], Entry], *, source: str) -> list[Entry]:
    entries = document.get(key)
    if not isinstance(entries, list):
        raise DataError(f"{source} has no list {key!r}. Is it a file of another kind?")
    result = []
    for index, entry in enumerate(entries):
        try:
            result.append(read(entry))
        except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
            raise DataError(
                f"{source}: {key}[{index}]: {_reason(error)}, in {json.dumps(entry)[:200]}. "
                "The official scorer stops here too: mend this entry."
            ) from error
    return result


def _spot(entry: Any) -> Spot:
    time = entry["gameTime"]
    minutes, seconds = int(time[-5:-3]), int(time[-2:])  # wrong from 100:00 on, but so it is read
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
    if not -1000 * VECTOR_SECONDS <= position_ms < 1 << 53:
        raise ValueError(f"position {position_ms} ms is in no match")
    return position_ms


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"label {value!r} is not text")
    return value


def _team(entry: Mapping[str, Any]) -> str | None:
    team = entry.get("team")
    return team if isinstance(team, str) else None


def _reason(error: Exception) -> str:
    return f"there is no {error}" if isinstance(error, KeyError) else str(error)
