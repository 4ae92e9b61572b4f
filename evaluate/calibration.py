"""Confidences spread over [0, 1], because the official metric looks at 200 thresholds between them.

Networks crowd their scores: focal loss keeps them low, cross-entropy pushes them to both ends, and events
whose scores lie within 1/199 of each other cannot be told apart. What counts is how much precision lies
between two thresholds, that is by which factor the detections above them differ: so even steps of
confidence are even steps of the logarithm of the rank. The map rises strictly, so ranking stays.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from bas.config import Knot

_STEPS = 20
_DECIMALS = 6


def knots_of(scores: Float64[np.ndarray, "n"]) -> tuple[Knot, ...]:
    """The map from score to confidence for one action, by the scores of its detections, in [0, 1].

    Returns:
        Pairs of score and confidence from 0, 0 to 1, 1; nothing where there are too few scores to tell.
    """
    if len(scores) < _STEPS:
        return ()
    rising = np.sort(scores)
    ranks = np.arange(len(rising), 0, -1)
    sure = 1 - np.log(ranks) / np.log(len(rising) + 1)
    steps = np.arange(1, _STEPS) / _STEPS
    found, first = np.unique(np.round(np.interp(steps, sure, rising), _DECIMALS), return_index=True)
    inside = (found > 0) & (found < 1)
    pairs = zip(found[inside].tolist(), steps[first][inside].tolist(), strict=True)
    return (0.0, 0.0), *pairs, (1.0, 1.0)
