"""From the entries of documents to the timelines that are scored, counting what the scorer ignores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bas.evaluate.precision import VECTOR_SECONDS, Entries, Timeline, official_frames, timeline
from bas.evaluate.soccernet import Prediction
from bas.types import Spot

TEAMS = "left", "right"
HALVES = 1, 2


@dataclass(frozen=True, slots=True)
class Mark:
    """A spot or a prediction reduced to what is scored."""

    position_ms: int
    half: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The timelines of some games, and how often the official scorer ignored or moved something."""

    timelines: list[Timeline] = field(default_factory=list)
    oddities: Counter[str] = field(default_factory=Counter)


def half_timelines(
    spots: Sequence[Spot], predictions: Sequence[Prediction], *, classes: Sequence[str], framerate: int
) -> Layout:
    """One timeline a half of one game, by class: what mAP is made of."""
    layout = Layout()
    annotated = [Mark(s.position_ms, s.half, s.label, _value(s)) for s in spots]
    claimed = [Mark(p.position_ms, p.half, p.label, p.confidence) for p in predictions]
    layout.oddities.update(_oddities("annotations", annotated, classes=classes, framerate=framerate))
    layout.oddities.update(_oddities("predictions", claimed, classes=classes, framerate=framerate))
    layout.oddities.update(_odd_confidences(predictions))
    if spots and not any(spot.half == 2 for spot in spots):
        lost = sum(mark.half == 2 for mark in claimed)
        layout.oddities.update({"predictions in half 2 of a game whose labels are all in half 1": lost})
    for half in HALVES:
        layout.timelines.append(
            timeline(
                _entries((m for m in annotated if m.half == half), classes, framerate=framerate),
                _entries((m for m in claimed if m.half == half), classes, framerate=framerate),
                num_classes=len(classes),
            )
        )
    return layout


def team_timeline(
    spots: Sequence[Spot], predictions: Sequence[Prediction], *, classes: Sequence[str], framerate: int
) -> Timeline:
    """One timeline for one game, by action and team: what Team-mAP is made of.

    As in the official scorer of 2025, annotations of a half other than 1 are dropped, and the
    half of a prediction is not read.
    """
    columns = [f"{action}-{team}" for action in classes for team in TEAMS]
    annotated = (Mark(s.position_ms, 1, f"{s.label}-{s.team}", _value(s)) for s in spots if s.half == 1)
    claimed = (Mark(p.position_ms, 1, f"{p.label}-{p.team}", p.confidence) for p in predictions)
    return timeline(
        _entries(annotated, columns, framerate=framerate),
        _entries(claimed, columns, framerate=framerate),
        num_classes=len(columns),
    )


def _value(spot: Spot) -> float:
    return 1.0 if spot.visible else -1.0


def _entries(marks: Iterable[Mark], names: Sequence[str], *, framerate: int) -> Entries:
    column = {name: index for index, name in enumerate(names)}
    known = [mark for mark in marks if mark.name in column]
    return Entries(
        official_frames(np.array([m.position_ms for m in known], dtype=np.float64), framerate=framerate),
        np.array([column[m.name] for m in known], dtype=np.int64),
        np.array([m.value for m in known], dtype=np.float64),
    )


def _oddities(what: str, marks: Sequence[Mark], *, classes: Sequence[str], framerate: int) -> Counter[str]:
    """What the official scorer does silently with marks that it cannot place."""
    scored = [mark for mark in marks if mark.name in classes and mark.half in HALVES]
    positions = np.array([mark.position_ms for mark in scored], dtype=np.float64)
    frames = official_frames(positions, framerate=framerate).tolist()
    cells = {(mark.half, frame, mark.name) for mark, frame in zip(scored, frames, strict=True)}
    odd_halves = sum(mark.name in classes and mark.half not in HALVES for mark in marks)
    found = Counter({f"{what} ignored: their half is neither 1 nor 2": odd_halves})
    found[f"{what} before the start, counted from the end of the 120 minutes"] = int(np.sum(positions < 0))
    found[f"{what} after 120 minutes, moved onto the last frame"] = int(
        np.sum(positions >= 1000 * VECTOR_SECONDS)
    )
    found[f"{what} replaced by a later one of their class on the same frame"] = len(scored) - len(cells)
    return +found


def _odd_confidences(predictions: Iterable[Prediction]) -> Counter[str]:
    confidences = [prediction.confidence for prediction in predictions]
    return +Counter(
        {
            "predictions ignored, NaN or below 0": sum(not c >= 0 for c in confidences),
            "predictions that no threshold removes, above 1": sum(c > 1 for c in confidences),
        }
    )
