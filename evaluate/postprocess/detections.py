"""Detections from dense scores: smoothing, picking, and calibrated confidences.

The defaults follow lRomul/ball-action-spotting (2023, first place): a Gaussian filter, then local
maxima of a minimum height and distance, with the smoothed score as confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import numpy as np
from jaxtyping import Float, Float64, Int64

from bas.config import CalibrationPoint, DetectionSettings, PostprocessSettings
from bas.evaluate.metric.average_precision import ClassMarks
from bas.types import DenseScores, Detection, Scores
from bas.vocabulary import split_team


def detect(scores: Scores, settings: PostprocessSettings) -> list[Detection]:
    """Detections of one video, sorted by frame; a column named `PASS-left` yields detections of a team."""
    found = []
    for name, column in zip(scores.classes, scores.values.T, strict=True):
        label, team = split_team(name)
        of_class = settings.for_action(label)
        picked = pick_detections(smooth(column, sigma=of_class.sigma), of_class)
        calibrated = calibrate(picked.values, settings.confidences.get(label, ()))
        for frame, confidence in zip(picked.frames.tolist(), calibrated.tolist(), strict=True):
            found.append(Detection(frame, label, confidence, team))
    return sorted(found, key=lambda detection: detection.frame)


def detect_games(dense: DenseScores, settings: PostprocessSettings) -> dict[str, dict[int, list[Detection]]]:
    """Detections of several games, by game id and half."""
    return {
        game: {half: detect(scores, settings) for half, scores in halves.items()}
        for game, halves in dense.items()
    }


def smooth(column: Float[np.ndarray, "frames"], *, sigma: float) -> Float64[np.ndarray, "frames"]:
    """Gaussian filter over time, reflected at both ends and truncated at four sigma.

    Args:
        column: scores of one class.
        sigma: standard deviation in frames; 0 disables smoothing.
    """
    from scipy.ndimage import gaussian_filter1d

    values = column.astype(np.float64)
    filtered: Float64[np.ndarray, "frames"] = gaussian_filter1d(values, sigma) if sigma else values
    return filtered


def calibrate(
    scores: Float64[np.ndarray, "n"], points: Sequence[CalibrationPoint]
) -> Float64[np.ndarray, "n"]:
    """Map smoothed scores to confidences in [0, 1] by linear interpolation between calibration points.

    Without points, the scores are only clipped to [0, 1].
    """
    from_scores, to_confidences = np.array(points or ((0, 0), (1, 1)), dtype=np.float64).T
    calibrated: Float64[np.ndarray, "n"] = np.interp(scores, from_scores, to_confidences)
    return calibrated


def pick_detections(column: Float64[np.ndarray, "frames"], settings: DetectionSettings) -> ClassMarks:
    """Detections of one class from its smoothed scores, on the model's clock; the first and last frame count too."""
    # Distance from the pick as a share of the smallest one, at 1, 2, ... frames: near scores fall most, those from
    # `min_distance` on stay.
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


def _local_maxima(
    column: Float64[np.ndarray, "frames"], *, min_score: float, min_distance: int
) -> ClassMarks:
    from scipy.signal import find_peaks

    # A maximum needs a lower neighbor on both sides, so pad for peaks on the first and last frame.
    padded = np.pad(column, 1, constant_values=-1.0)
    found, _ = find_peaks(padded, height=min_score, distance=min_distance)
    frames = np.asarray(found - 1, dtype=np.int64)
    return ClassMarks(frames, column[frames])


def _suppress(
    column: Float64[np.ndarray, "frames"], *, min_score: float, factors: Float64[np.ndarray, "radius"]
) -> ClassMarks:
    """Pick the highest frame, multiply its neighbors by `factors`, and repeat until no frame reaches `min_score`.

    All frames that are the highest within the radius are picked in one round. No frame picked
    earlier in score order could have changed them, so the result equals picking one at a time,
    the earliest first on ties.

    Args:
        column: smoothed scores.
        min_score: minimum score of a detection at the time it is picked.
        factors: multipliers for the neighbors 1, 2, ... frames away, on either side.
    """
    from scipy.ndimage import maximum_filter1d

    radius = len(factors)
    offsets = np.delete(np.arange(-radius, radius + 1), radius)  # -radius, ..., -1, 1, ..., radius
    # Scores only fall, so a frame below the minimum never becomes a candidate again.
    frames = np.flatnonzero((column >= min_score) & (column > 0))
    scores = column[frames]
    picked = [ClassMarks(frames[:0], scores[:0])]
    while len(frames):
        # Lay the remaining candidates on a short line, so that a round costs time by candidates, not by frames.
        places = _compact(frames, radius)
        line = np.zeros(places[-1] + radius + 1)
        line[places] = scores
        highest = np.flatnonzero(scores == maximum_filter1d(line, 2 * radius + 1, mode="constant")[places])
        # On ties, pick only the earliest: no equal score may lie within the radius before it. Every place has `radius`
        # places in front, so that no index is negative; gaps on the line hold 0.
        before = line[places[highest][:, None] - np.arange(1, radius + 1)]
        chosen = highest[(before < scores[highest, None]).all(axis=1)]
        picked.append(ClassMarks(frames[chosen], scores[chosen]))
        neighbors = places[chosen][:, None] + offsets
        # A frame may lie within the radius of two picks: multiply.at applies both factors, `*=` only one.
        np.multiply.at(line, neighbors.ravel(), np.tile(factors[np.abs(offsets) - 1], len(chosen)))
        line[places[chosen]] = 0
        scores = line[places]
        remaining = (scores >= min_score) & (scores > 0)
        frames, scores = frames[remaining], scores[remaining]
    frames = np.concatenate([marks.frames for marks in picked])
    order = np.argsort(frames)
    return ClassMarks(frames[order], np.concatenate([marks.values for marks in picked])[order])


def _compact(frames: Int64[np.ndarray, "n"], radius: int) -> Int64[np.ndarray, "n"]:
    """Positions of frames after shortening every gap wider than the radius, with `radius` positions in front.

    A shortened gap is still `radius` + 1 wide, so frames on its two sides do not affect each other.
    """
    gaps = np.minimum(np.diff(frames), radius + 1)
    return np.concatenate([[radius], radius + np.cumsum(gaps)])
