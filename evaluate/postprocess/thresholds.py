"""Thresholds at which a list of detections is shown to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from bas.evaluate.metric.average_precision import ClassMarks, pooled_hits

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
