"""Calibration: confidences that spread evenly between 0 and 1."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from bas.config import CalibrationPoint

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
