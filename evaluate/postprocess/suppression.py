"""Event picking in the scores of one class: local maxima, or non-maximum suppression.

Hard suppression follows E2E-Spot (Hong et al., Spotting Temporally Precise, Fine-Grained Events in
Video, 2022); linear and quadratic suppression follow Bodla et al., Soft-NMS, 2017. The quadratic
one is that of T-DEED (Xarles et al., 2024), where every frame is a candidate, as it is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np
from jaxtyping import Float64, Int64

from bas.config import EventSettings


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one class in one video: increasing frames and their scores."""

    frames: Int64[np.ndarray, "n"]
    scores: Float64[np.ndarray, "n"]


def pick_events(column: Float64[np.ndarray, "frames"], settings: EventSettings) -> Events:
    """Pick the events of one class from its smoothed scores; the first and last frame can be events too."""
    shares = np.arange(1, settings.min_distance) / settings.min_distance
    match settings.method:
        case "peaks":
            return _local_maxima(column, min_score=settings.min_score, min_distance=settings.min_distance)
        case "hard":
            return _suppress(column, min_score=settings.min_score, factors=np.zeros_like(shares))
        case "linear":
            return _suppress(column, min_score=settings.min_score, factors=shares)
        case "quadratic":
            return _suppress(column, min_score=settings.min_score, factors=shares**2)
        case _:
            assert_never(settings.method)


def _local_maxima(column: Float64[np.ndarray, "frames"], *, min_score: float, min_distance: int) -> Events:
    from scipy.signal import find_peaks

    # A maximum needs a lower neighbor on both sides, so pad for peaks on the first and last frame.
    padded = np.pad(column, 1, constant_values=-1.0)
    found, _ = find_peaks(padded, height=min_score, distance=min_distance)
    frames = np.asarray(found - 1, dtype=np.int64)
    return Events(frames, column[frames])


def _suppress(
    column: Float64[np.ndarray, "frames"], *, min_score: float, factors: Float64[np.ndarray, "radius"]
) -> Events:
    """Pick the highest frame, multiply its neighbors by `factors`, and repeat until no frame reaches `min_score`.

    All frames that are the highest within the radius are picked in one round. No frame picked
    earlier in score order could have changed them, so the result equals picking one at a time,
    the earliest first on ties.

    Args:
        column: smoothed scores.
        min_score: minimum score of an event at the time it is picked.
        factors: multipliers for the neighbors 1, 2, ... frames away, on either side.
    """
    from scipy.ndimage import maximum_filter1d

    radius = len(factors)
    offsets = np.delete(np.arange(-radius, radius + 1), radius)
    frames = np.flatnonzero((column >= min_score) & (column > 0))
    scores = column[frames]
    picked = [Events(frames[:0], scores[:0])]
    while len(frames):
        # Lay the remaining candidates on a short line, so that a round costs time by candidates, not by frames.
        places = _compact(frames, radius)
        line = np.zeros(places[-1] + radius + 1)
        line[places] = scores
        highest = np.flatnonzero(scores == maximum_filter1d(line, 2 * radius + 1, mode="constant")[places])
        # On ties, pick only the earliest: no equal score may lie within the radius before it.
        before = line[places[highest][:, None] - np.arange(1, radius + 1)]
        chosen = highest[(before < scores[highest, None]).all(axis=1)]
        picked.append(Events(frames[chosen], scores[chosen]))
        neighbors = places[chosen][:, None] + offsets
        # A frame may lie within the radius of two picks: multiply.at applies both factors, `*=` only one.
        np.multiply.at(line, neighbors.ravel(), np.tile(factors[np.abs(offsets) - 1], len(chosen)))
        line[places[chosen]] = 0
        scores = line[places]
        remaining = (scores >= min_score) & (scores > 0)
        frames, scores = frames[remaining], scores[remaining]
    frames = np.concatenate([events.frames for events in picked])
    order = np.argsort(frames)
    return Events(frames[order], np.concatenate([events.scores for events in picked])[order])


def _compact(frames: Int64[np.ndarray, "n"], radius: int) -> Int64[np.ndarray, "n"]:
    """Positions of frames after shortening every gap wider than the radius, with `radius` positions in front.

    A shortened gap is still `radius` + 1 wide, so frames on its two sides do not affect each other.
    """
    gaps = np.minimum(np.diff(frames), radius + 1)
    return np.concatenate([[radius], radius + np.cumsum(gaps)])
