"""Which ticks of one class's scores are events: local maxima, or what suppression leaves.

Hard suppression as in E2E-Spot (Hong et al., Spotting Temporally Precise, Fine-Grained Events in
Video, 2022); linear and quadratic after Bodla et al., Soft-NMS, 2017, the quadratic one as in T-DEED
(Xarles et al., 2024), whose candidates are all ticks as here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from jaxtyping import Float64, Int64

from bas.config import EventSettings


@dataclass(frozen=True, slots=True)
class Claims:
    """What one class claims in one video: increasing ticks and their scores."""

    ticks: Int64[np.ndarray, "n"]
    scores: Float64[np.ndarray, "n"]


def claims(column: Float64[np.ndarray, "ticks"], settings: EventSettings) -> Claims:
    """Events of one class out of its smoothed scores, the first and the last tick among them."""
    shares = np.arange(1, settings.distance) / settings.distance
    match settings.method:
        case "peaks":
            return _local_maxima(column, height=settings.height, distance=settings.distance)
        case "hard":
            return _suppressed(column, height=settings.height, factors=np.zeros_like(shares))
        case "linear":
            return _suppressed(column, height=settings.height, factors=shares)
        case "quadratic":
            return _suppressed(column, height=settings.height, factors=shares**2)
        case _:
            assert_never(settings.method)


def _local_maxima(column: Float64[np.ndarray, "ticks"], *, height: float, distance: int) -> Claims:
    from scipy.signal import find_peaks

    padded = np.pad(column, 1, constant_values=-1.0)  # a maximum needs a lower neighbor on both sides
    found, _ = find_peaks(padded, height=height, distance=distance)
    ticks = np.asarray(found - 1, dtype=np.int64)
    return Claims(ticks, column[ticks])


def _suppressed(
    column: Float64[np.ndarray, "ticks"], *, height: float, factors: Float64[np.ndarray, "reach"]
) -> Claims:
    """Take the highest tick, multiply its neighbors, and so on until none reaches `height`.

    Ticks that are highest within reach are taken in one round: nothing taken before them in order of
    score could have changed them, so the result is that of one after the other, the earliest of equals first.

    Args:
        column: smoothed scores.
        height: smallest score of an event, when its turn comes.
        factors: of the neighbors 1, 2 ... ticks away, to either side.
    """
    from scipy.ndimage import maximum_filter1d

    reach = len(factors)
    offsets = np.delete(np.arange(-reach, reach + 1), reach)
    ticks = np.flatnonzero((column >= height) & (column > 0))
    scores = column[ticks]
    taken = [Claims(ticks[:0], scores[:0])]
    while len(ticks):
        places = _close_up(ticks, reach)
        line = np.zeros(places[-1] + reach + 1)
        line[places] = scores
        highest = np.flatnonzero(scores == maximum_filter1d(line, 2 * reach + 1, mode="constant")[places])
        before = line[places[highest][:, None] - np.arange(1, reach + 1)]
        chosen = highest[(before < scores[highest, None]).all(axis=1)]
        taken.append(Claims(ticks[chosen], scores[chosen]))
        neighbors = places[chosen][:, None] + offsets
        np.multiply.at(line, neighbors.ravel(), np.tile(factors[np.abs(offsets) - 1], len(chosen)))
        line[places[chosen]] = 0
        scores = line[places]
        left = (scores >= height) & (scores > 0)
        ticks, scores = ticks[left], scores[left]
    ticks = np.concatenate([one.ticks for one in taken])
    order = np.argsort(ticks)
    return Claims(ticks[order], np.concatenate([one.scores for one in taken])[order])


def _close_up(ticks: Int64[np.ndarray, "n"], reach: int) -> Int64[np.ndarray, "n"]:
    """Places of ticks once gaps that nothing reaches across are cut short; `reach` are free before the first."""
    gaps = np.minimum(np.diff(ticks), reach + 1)
    return np.concatenate([[reach], reach + np.cumsum(gaps)])
