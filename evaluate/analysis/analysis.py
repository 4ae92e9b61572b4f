"""Analysis beside the official score: thresholds, confusions, offsets, intervals and the chance baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from bas.evaluate.analysis.bootstrap import (
    MIN_BLOCKS,
    Interval,
    num_blocks,
    percentile_interval,
    resampled_mean_ap,
)
from bas.evaluate.analysis.chance_baseline import chance_of
from bas.evaluate.analysis.outcomes import Outcome, match_outcomes
from bas.evaluate.analysis.window_accuracy import WindowAccuracy, window_accuracy
from bas.evaluate.metric.average_precision import ScoringTimeline, average_precision
from bas.evaluate.metric.timelines import half_timelines
from bas.evaluate.metric.tolerance import half_window_frames
from bas.evaluate.postprocess.thresholds import threshold_curve
from bas.evaluate.scoring.score import Evaluation
from bas.types import DenseScores, Prediction, Spot

CURVE_SECONDS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
MIN_SPOTS = 10
"""Number of spots below which the AP of a class is not informative."""
BACKGROUND = "no action"
RESAMPLES = 1000
"""Default number of bootstrap resamples for the interval."""
_CURVE_POINTS = 200


@dataclass(frozen=True, slots=True)
class ClassDetail:
    """Precision and recall of one class, at its threshold and over all thresholds."""

    label: str
    threshold: float
    """Minimum confidence that counts; 1 if it is to be chosen here, but there are no detections or no spots."""
    precision: float
    recall: float
    f1: float
    num_spots: int
    num_detections: int
    """Number of detections at or above the threshold."""
    recalls: Float64[np.ndarray, "points"]
    """Recalls of the precision-recall curve, over decreasing thresholds."""
    precisions: Float64[np.ndarray, "points"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Result of `analyze`; every ratio is in [0, 1]."""

    seconds: float
    """Full window in which detections are matched."""
    threshold_source: Literal["these matches", "the model"]
    """Thresholds of maximum F1 on the scored games themselves, or those stored with the model."""
    classes: tuple[ClassDetail, ...]
    confusion: Int64[np.ndarray, "actual detected"]
    """Confusion matrix at the classes' thresholds; the last row and column stand for no action."""
    offset_frames: dict[int, int]
    """Number of hits by offset from their spot, in frames, positive if late."""
    tolerance_curve: tuple[tuple[float, float], ...]
    """Full window in seconds, and the mAP at it."""
    interval: Interval | None
    """Confidence interval of the mAP, over resampled minutes; None without resamples."""
    resamples: int
    """Number of bootstrap resamples for the interval."""
    chance: float | None
    """95th percentile of the mAP of random detections; None if the length of the games is not known."""
    window_accuracy: WindowAccuracy | None
    """Window accuracy; None without dense scores."""
    outcomes: tuple[Outcome, ...]
    short_games: tuple[str, ...]
    """Games with too few minutes to be resampled."""

    @property
    def threshold_description(self) -> str:
        """Source of the thresholds, in words."""
        return (
            "stored with the model"
            if self.threshold_source == "the model"
            else "of maximum F1 on these matches"
        )

    @property
    def micro(self) -> tuple[float, float, float]:
        """Precision, recall and F1 over all spots and detections."""
        kinds = Counter(outcome.kind for outcome in self.outcomes)
        num_detections = kinds["hit"] + kinds["confused"] + kinds["false positive"]
        num_spots = kinds["hit"] + kinds["confused"] + kinds["miss"]
        return _precision_recall_f1(kinds["hit"], num_detections, num_spots)

    @property
    def macro(self) -> tuple[float, float, float]:
        """Mean precision, recall and F1 over the classes that occur."""
        rows = [(c.precision, c.recall, c.f1) for c in self.classes if c.num_spots]
        precision, recall, f1 = np.mean(rows, axis=0) if rows else (0.0, 0.0, 0.0)
        return float(precision), float(recall), float(f1)

    @property
    def rare_classes(self) -> tuple[str, ...]:
        """Classes with too few spots for their numbers to be informative."""
        return tuple(c.label for c in self.classes if 0 < c.num_spots < MIN_SPOTS)


def analyze(
    evaluation: Evaluation,
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    scores: DenseScores | None = None,
    thresholds: Mapping[str, float] | None = None,
    resamples: int | None = None,
) -> Analysis:
    """Analyze scored predictions; detections are matched in the first of the evaluation's windows.

    Args:
        evaluation: score of the same labels and predictions.
        labels: annotations by game.
        predictions: predictions by the same games.
        scores: dense scores by game and half, if a model of this package wrote them.
        thresholds: minimum confidence by class, as stored with a model; None chooses those of maximum F1 here.
        resamples: number of bootstrap resamples for the interval, by default `RESAMPLES`; 0 leaves it out.
    """
    resamples = RESAMPLES if resamples is None else resamples
    names, framerate = evaluation.class_names, evaluation.framerate
    seconds = evaluation.tolerances[0]
    half_window = half_window_frames(seconds, framerate=framerate)
    halves = {
        game: half_timelines(spots, predictions[game], classes=names, framerate=framerate).timelines
        for game, spots in labels.items()
    }
    timelines = [timeline for of_game in halves.values() for timeline in of_game]
    details = tuple(
        _detail(
            label, timelines, k, half_window=half_window, threshold=thresholds[label] if thresholds else None
        )
        for k, label in enumerate(names)
    )
    outcomes = match_outcomes(
        labels,
        predictions,
        thresholds={detail.label: detail.threshold for detail in details},
        half_window=half_window,
        framerate=framerate,
    )
    return Analysis(
        seconds,
        "the model" if thresholds else "these matches",
        details,
        _confusion(outcomes, names),
        _offsets(outcomes, framerate=framerate),
        tuple((s, _mean_ap(timelines, len(names), s, framerate=framerate)) for s in CURVE_SECONDS),
        percentile_interval(
            resampled_mean_ap(
                labels,
                [predictions],
                classes=names,
                tolerance=evaluation.tolerances,
                framerate=framerate,
                resamples=resamples,
            )[0]
        )
        if resamples
        else None,
        resamples,
        chance_of(evaluation, labels, scores) if scores else None,
        window_accuracy(labels, scores) if scores else None,
        tuple(outcomes),
        tuple(game for game, of in halves.items() if num_blocks(of, framerate=framerate) < MIN_BLOCKS),
    )


def _detail(
    label: str,
    timelines: Sequence[ScoringTimeline],
    column: int,
    *,
    half_window: int,
    threshold: float | None,
) -> ClassDetail:
    """Detail of one class; a threshold of None becomes that of maximum F1, or 1 if there is none."""
    curve = threshold_curve(
        [(t.spots[column], t.detections[column]) for t in timelines], half_window=half_window
    )
    if threshold is None:
        threshold = 1.0 if curve.best_threshold is None else curve.best_threshold
    # Thresholds decrease along the curve, so the last one that is high enough holds the counts.
    passed = int(np.count_nonzero(curve.thresholds >= threshold))
    num_hits, num_detections = (
        (int(curve.true_positives[passed - 1]), int(curve.detections[passed - 1])) if passed else (0, 0)
    )
    precision, recall, f1 = _precision_recall_f1(num_hits, num_detections, curve.num_spots)
    length = len(curve.thresholds)
    points = np.unique(np.linspace(0, length - 1, min(length, _CURVE_POINTS)).astype(int))
    return ClassDetail(
        label,
        threshold,
        precision,
        recall,
        f1,
        curve.num_spots,
        num_detections,
        curve.true_positives[points] / max(1, curve.num_spots),
        curve.true_positives[points] / curve.detections[points],
    )


def _precision_recall_f1(num_hits: int, num_detections: int, num_spots: int) -> tuple[float, float, float]:
    return (
        num_hits / max(1, num_detections),
        num_hits / max(1, num_spots),
        2 * num_hits / max(1, num_detections + num_spots),
    )


def _confusion(outcomes: Sequence[Outcome], names: Sequence[str]) -> Int64[np.ndarray, "actual detected"]:
    from sklearn.metrics import confusion_matrix

    background = len(names)
    if not outcomes:  # scikit-learn refuses to count nothing
        return np.zeros((background + 1, background + 1), np.int64)
    index_of = {name: k for k, name in enumerate(names)}
    actual = [index_of[one.spot.label] if one.spot else background for one in outcomes]
    detected = [index_of[one.detection.label] if one.detection else background for one in outcomes]
    table: Int64[np.ndarray, "actual detected"] = confusion_matrix(
        actual, detected, labels=range(background + 1)
    )
    return table


def _offsets(outcomes: Sequence[Outcome], *, framerate: int) -> dict[int, int]:
    counts = Counter(
        round(outcome.offset_ms * framerate / 1000) for outcome in outcomes if outcome.kind == "hit"
    )
    return {frames: counts[frames] for frames in sorted(counts)}


def _mean_ap(
    timelines: Sequence[ScoringTimeline], num_classes: int, seconds: float, *, framerate: int
) -> float:
    scored = average_precision(timelines, num_classes=num_classes, framerate=framerate, tolerances=(seconds,))
    return scored.overall.mean
