"""All that an evaluation can tell beside the official numbers: where a model is right, and how it is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Float64, Int64

from bas.evaluate.bootstrap import FEWEST_BLOCKS, Interval, interval, num_blocks, resampled_mean_ap
from bas.evaluate.chance import chance
from bas.evaluate.outcomes import Outcome, outcomes
from bas.evaluate.precision import Timeline, average_precision
from bas.evaluate.score import Evaluation
from bas.evaluate.soccernet import Prediction
from bas.evaluate.thresholds import passing
from bas.evaluate.timelines import half_timelines
from bas.evaluate.tolerance import reach_frames
from bas.evaluate.windows import WindowNumbers, window_numbers
from bas.types import Scores, Spot

CURVE_SECONDS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
FEW = 10
"""Actions of a class below which its AP says little."""
BACKGROUND = "no action"
RESAMPLES = 1000
"""Of the minutes, for the interval."""
_CURVE_POINTS = 200


@dataclass(frozen=True, slots=True)
class ClassDetail:
    """One class at its threshold, and over all thresholds."""

    label: str
    threshold: float
    """The least confidence that counts; 1 where it should be chosen here, but no claim or no action is there."""
    precision: float
    recall: float
    f1: float
    num_spots: int
    num_claimed: int
    """Claims from the threshold on."""
    recalls: Float64[np.ndarray, "points"]
    """Of the precision-recall curve, over falling thresholds."""
    precisions: Float64[np.ndarray, "points"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What `analyze` returns; every share is in [0, 1]."""

    seconds: float
    """Whole window that claims are matched in."""
    thresholds_of: Literal["these matches", "the model"]
    """Chosen for the highest F1 on the very matches that are scored, or stored with the model."""
    classes: tuple[ClassDetail, ...]
    confusion: Int64[np.ndarray, "actual claimed"]
    """Actions by claims at the classes' thresholds; the last row and column are no action."""
    offset_frames: dict[int, int]
    """How many claims lie so many frames after their action."""
    curve: tuple[tuple[float, float], ...]
    """Whole window in seconds, and the mAP there."""
    interval: Interval
    """Of the mAP, over resampled minutes."""
    chance: float | None
    """mAP of blind guesses, 95th percentile; None where the length of the matches is not known."""
    windows: WindowNumbers | None
    """None without dense scores."""
    outcomes: tuple[Outcome, ...]
    short: tuple[str, ...]
    """Games of too few minutes to be resampled."""

    @property
    def thresholds_told(self) -> str:
        """Which threshold, in words."""
        match self.thresholds_of:
            case "these matches":
                return "of highest F1 on these matches"
            case "the model":
                return "stored with the model"
            case _:
                assert_never(self.thresholds_of)

    @property
    def micro(self) -> tuple[float, float, float]:
        """Precision, recall and F1 over all actions and claims."""
        kinds = Counter(outcome.kind for outcome in self.outcomes)
        claimed = kinds["found"] + kinds["confused"] + kinds["false alarm"]
        actual = kinds["found"] + kinds["confused"] + kinds["missed"]
        return _shares(kinds["found"], claimed, actual)

    @property
    def macro(self) -> tuple[float, float, float]:
        """Means of precision, recall and F1 over the classes that occur."""
        rows = [(c.precision, c.recall, c.f1) for c in self.classes if c.num_spots]
        precision, recall, f1 = np.mean(rows, axis=0) if rows else (0.0, 0.0, 0.0)
        return float(precision), float(recall), float(f1)

    @property
    def few(self) -> tuple[str, ...]:
        """Classes that occur too seldom for their numbers to mean much."""
        return tuple(c.label for c in self.classes if 0 < c.num_spots < FEW)


def analyze(
    evaluation: Evaluation,
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    scores: Mapping[str, Mapping[int, Scores]] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Analysis:
    """Look closer at what was scored; claims are matched in the first of the evaluation's windows.

    Args:
        evaluation: of the same labels and predictions.
        labels: annotations by game.
        predictions: by the same games.
        scores: dense scores by game and half, where a model of ours left them.
        thresholds: least confidence by class, as stored with a model; None takes those of highest F1 here.
    """
    names, framerate = evaluation.classes, evaluation.framerate
    seconds = evaluation.tolerances[0]
    reach = reach_frames(seconds, framerate=framerate)
    halves = {
        game: half_timelines(spots, predictions[game], classes=names, framerate=framerate).timelines
        for game, spots in labels.items()
    }
    timelines = [one for of_game in halves.values() for one in of_game]
    details = tuple(
        _detail(label, timelines, k, reach=reach, threshold=thresholds[label] if thresholds else None)
        for k, label in enumerate(names)
    )
    matched = outcomes(
        labels,
        predictions,
        thresholds={detail.label: detail.threshold for detail in details},
        reach=reach,
        framerate=framerate,
    )
    return Analysis(
        seconds,
        "the model" if thresholds else "these matches",
        details,
        _confusion(matched, names),
        _offsets(matched, framerate=framerate),
        tuple((s, _mean_ap(timelines, len(names), s, framerate=framerate)) for s in CURVE_SECONDS),
        interval(
            resampled_mean_ap(
                labels,
                [predictions],
                classes=names,
                tolerance=evaluation.tolerances,
                framerate=framerate,
                resamples=RESAMPLES,
            )[0]
        ),
        _chance(evaluation, labels, scores) if scores else None,
        window_numbers(labels, scores) if scores else None,
        tuple(matched),
        tuple(game for game, of in halves.items() if num_blocks(of, framerate=framerate) < FEWEST_BLOCKS),
    )


def _detail(
    label: str, timelines: Sequence[Timeline], column: int, *, reach: int, threshold: float | None
) -> ClassDetail:
    """One class; a threshold of None becomes that of highest F1, or 1 where there is none."""
    counts = passing([(one.spots[column], one.detections[column]) for one in timelines], reach=reach)
    if threshold is None:
        threshold = 1.0 if counts.best is None else counts.best
    passed = int(np.count_nonzero(counts.levels >= threshold))
    num_right, num_claimed = (
        (int(counts.right[passed - 1]), int(counts.claimed[passed - 1])) if passed else (0, 0)
    )
    precision, recall, f1 = _shares(num_right, num_claimed, counts.num_spots)
    levels = len(counts.levels)
    points = np.unique(np.linspace(0, levels - 1, min(levels, _CURVE_POINTS)).astype(int))
    return ClassDetail(
        label,
        threshold,
        precision,
        recall,
        f1,
        counts.num_spots,
        num_claimed,
        counts.right[points] / max(1, counts.num_spots),
        counts.right[points] / counts.claimed[points],
    )


def _shares(right: int, claimed: int, actual: int) -> tuple[float, float, float]:
    """Precision, recall, F1."""
    return right / max(1, claimed), right / max(1, actual), 2 * right / max(1, claimed + actual)


def _confusion(matched: Sequence[Outcome], names: Sequence[str]) -> Int64[np.ndarray, "actual claimed"]:
    place = {name: k for k, name in enumerate(names)}
    table = np.zeros((len(names) + 1, len(names) + 1), np.int64)
    for outcome in matched:
        actual = len(names) if outcome.spot is None else place[outcome.spot.label]
        claimed = len(names) if outcome.claim is None else place[outcome.claim.label]
        table[actual, claimed] += 1
    return table


def _offsets(matched: Sequence[Outcome], *, framerate: int) -> dict[int, int]:
    counts = Counter(
        round(outcome.offset_ms * framerate / 1000) for outcome in matched if outcome.kind == "found"
    )
    return {frames: counts[frames] for frames in sorted(counts)}


def _mean_ap(timelines: Sequence[Timeline], num_classes: int, seconds: float, *, framerate: int) -> float:
    scored = average_precision(timelines, num_classes=num_classes, framerate=framerate, tolerances=(seconds,))
    return scored.every.mean


def _chance(
    evaluation: Evaluation,
    labels: Mapping[str, Sequence[Spot]],
    scores: Mapping[str, Mapping[int, Scores]],
) -> float:
    return chance(
        labels,
        counts={row.label: row.num_detections for row in evaluation.rows},
        num_frames={
            game: {half: len(one.values) for half, one in of_game.items()} for game, of_game in scores.items()
        },
        fps=next(one.fps for of_game in scores.values() for one in of_game.values()),
        tolerance=evaluation.tolerances,
    ).mean_ap
