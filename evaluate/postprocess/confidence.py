"""Calibration of confidences to spread over [0, 1], since the official metric uses 200 thresholds between them.

Networks crowd their scores: focal loss keeps them low, cross-entropy pushes them to both ends. Detections
whose scores lie within 1/199 of each other then fall between the same two thresholds. What matters is
how much precision changes between two thresholds, that is, by which factor the number of detections
above them differs. So equal steps of confidence are equal steps of the logarithm of the rank. The map
is strictly increasing, so the ranking does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from bas.config import CalibrationPoint
from bas.evaluate.metric.average_precision import ClassMarks, pooled_hits

_STEPS = 20

_DECIMALS = 6


def calibration_points(scores: Float64[np.ndarray, "n"]) -> tuple[CalibrationPoint, ...]:
    """Calibration from score to confidence of one action, estimated from the scores of its detections.

    Returns:
        Pairs of score and confidence from (0, 0) to (1, 1); empty if there are too few scores.
    """
    if len(scores) < _STEPS:
        return ()
    increasing = np.sort(scores)
    ranks = np.arange(len(increasing), 0, -1)  # 1 for the highest score
    # From near 0 for the lowest score to 1 for the highest, in equal steps of the logarithm of the rank.
    confidences = 1 - np.log(ranks) / np.log(len(increasing) + 1)
    steps = np.arange(1, _STEPS) / _STEPS
    # Equal scores after rounding would make the map vertical: keep the first, lowest confidence of each.
    points, first = np.unique(
        np.round(np.interp(steps, confidences, increasing), _DECIMALS), return_index=True
    )
    inside = (points > 0) & (points < 1)
    pairs = zip(points[inside].tolist(), steps[first][inside].tolist(), strict=True)
    return (0.0, 0.0), *pairs, (1.0, 1.0)


_MIN_DISPLAY_PRECISION = 0.1  # below this, a list of detections looks like noise to whoever reviews it


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Counts of one class at every distinct confidence, the highest first."""

    thresholds: Float64[np.ndarray, "thresholds"]
    true_positives: Int64[np.ndarray, "thresholds"]
    detections: Int64[np.ndarray, "thresholds"]
    num_spots: int

    @property
    def best_threshold(self) -> float | None:
        """Threshold of maximum F1; None without detections or without spots."""
        return self._max_f1_threshold(min_precision=0.0)

    @property
    def display_threshold(self) -> float | None:
        """Threshold of maximum F1 among those with a precision of at least 10 %; None if there is none."""
        return self._max_f1_threshold(min_precision=_MIN_DISPLAY_PRECISION)

    def _max_f1_threshold(self, *, min_precision: float) -> float | None:
        allowed = self.true_positives >= min_precision * self.detections
        if not self.num_spots or not allowed.any():
            return None
        f1 = 2 * self.true_positives / (self.detections + self.num_spots)
        return float(self.thresholds[np.argmax(np.where(allowed, f1, -1.0))])


def threshold_curve(pairs: Sequence[tuple[ClassMarks, ClassMarks]], *, half_window: int) -> ThresholdCurve:
    """Count true positives and detections at every distinct confidence.

    Detections are matched only once. Those above a threshold would be matched the same way on their
    own: a spot takes the most confident detection in its window, so no detection below the threshold
    is ever preferred to one above it.

    Args:
        pairs: spots and detections of one class, by timeline.
        half_window: frames that a detection may lie from its spot, on either side.
    """
    scores, hits = pooled_hits(pairs, half_window=half_window)
    order = np.argsort(-scores, kind="stable")
    decreasing = scores[order]
    # Equal confidences pass a threshold together: keep the last of each. The slice handles no detections at all.
    last = np.flatnonzero(np.append(decreasing[1:] < decreasing[:-1], True)[: len(decreasing)])
    return ThresholdCurve(
        decreasing[last],
        np.cumsum(hits[order])[last],
        last + 1,
        num_spots=sum(len(spots.frames) for spots, _ in pairs),
    )
