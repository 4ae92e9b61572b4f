"""Scoring timelines built from labels and predictions, with counts of what the official scorer silently ignores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bas.evaluate.metric.average_precision import (
    VECTOR_SECONDS,
    MarkArrays,
    ScoringTimeline,
    build_timeline,
    official_frames,
)
from bas.types import Prediction, Spot
from bas.vocabulary import target_classes

HALVES = 1, 2


@dataclass(frozen=True, slots=True)
class Mark:
    """A spot or a prediction, reduced to what is scored."""

    position_ms: int
    half: int
    column: str
    """Name of the scored column: the class, or for Team-mAP the class and the team."""
    value: float


@dataclass(frozen=True, slots=True)
class GameTimelines:
    """Timelines of one game, and how often the official scorer ignored or moved a mark."""

    timelines: list[ScoringTimeline]
    oddities: Counter[str]


def half_timelines(
    spots: Sequence[Spot], predictions: Sequence[Prediction], *, classes: Sequence[str], framerate: int
) -> GameTimelines:
    """Timelines for mAP: one per half of a game, with one column per class."""
    annotated = [Mark(s.position_ms, s.half, s.label, _value(s)) for s in spots]
    predicted = [Mark(p.position_ms, p.half, p.label, p.confidence) for p in predictions]
    oddities = _oddities("annotations", annotated, classes=classes, framerate=framerate)
    oddities += _oddities("predictions", predicted, classes=classes, framerate=framerate)
    oddities += _odd_confidences(predictions)
    if spots and not any(spot.half == 2 for spot in spots):
        lost = sum(mark.half == 2 for mark in predicted)
        oddities += Counter({"predictions in half 2 of a game whose labels are all in half 1": lost})
    timelines = [
        build_timeline(
            _mark_arrays((m for m in annotated if m.half == half), classes, framerate=framerate),
            _mark_arrays((m for m in predicted if m.half == half), classes, framerate=framerate),
            num_classes=len(classes),
        )
        for half in HALVES
    ]
    return GameTimelines(timelines, oddities)


def team_timeline(
    spots: Sequence[Spot], predictions: Sequence[Prediction], *, classes: Sequence[str], framerate: int
) -> ScoringTimeline:
    """Timeline for Team-mAP: one for the whole game, with one column per action and team.

    As in the official scorer of 2025, annotations outside half 1 are dropped, and the half of a
    prediction is ignored.
    """
    columns = target_classes(
        classes, teams=True
    )  # left and right of each action in turn, as `team_average` reads
    annotated = (Mark(s.position_ms, 1, f"{s.label}-{s.team}", _value(s)) for s in spots if s.half == 1)
    predicted = (Mark(p.position_ms, 1, f"{p.label}-{p.team}", p.confidence) for p in predictions)
    return build_timeline(
        _mark_arrays(annotated, columns, framerate=framerate),
        _mark_arrays(predicted, columns, framerate=framerate),
        num_classes=len(columns),
    )


def _value(spot: Spot) -> float:
    return 1.0 if spot.visible else -1.0


def _mark_arrays(marks: Iterable[Mark], columns: Sequence[str], *, framerate: int) -> MarkArrays:
    index_of = {name: index for index, name in enumerate(columns)}
    known = [mark for mark in marks if mark.column in index_of]
    return MarkArrays(
        official_frames([m.position_ms for m in known], framerate=framerate),
        np.array([index_of[m.column] for m in known], dtype=np.int64),
        np.array([m.value for m in known], dtype=np.float64),
    )


def _oddities(what: str, marks: Sequence[Mark], *, classes: Sequence[str], framerate: int) -> Counter[str]:
    """Count the marks that the official scorer silently ignores, moves or replaces."""
    scored = [mark for mark in marks if mark.column in classes and mark.half in HALVES]
    positions = np.array([mark.position_ms for mark in scored], dtype=np.int64)
    frames = official_frames(positions, framerate=framerate).tolist()
    distinct = {(mark.half, frame, mark.column) for mark, frame in zip(scored, frames, strict=True)}
    odd_halves = sum(mark.column in classes and mark.half not in HALVES for mark in marks)
    after = int(np.sum(positions >= 1000 * VECTOR_SECONDS))
    counts = {
        "ignored: half is neither 1 nor 2": odd_halves,
        "before the start, wrapped to the end of the 120 minutes": int(np.sum(positions < 0)),
        "after 120 minutes, moved onto the last frame": after,
        "replaced by a later one of the same class on the same frame": len(scored) - len(distinct),
    }
    return +Counter({f"{what} {oddity}": count for oddity, count in counts.items()})  # + drops the zeros


def _odd_confidences(predictions: Sequence[Prediction]) -> Counter[str]:
    dropped = sum(not one.confidence >= 0 for one in predictions)
    kept = sum(one.confidence > 1 for one in predictions)
    return +Counter(
        {
            "predictions ignored: confidence is NaN or below 0": dropped,
            "predictions with confidence above 1, which no threshold removes": kept,
        }
    )
