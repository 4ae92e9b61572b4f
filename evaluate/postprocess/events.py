"""Events from dense scores: smoothing, event picking, and calibrated confidences.

The defaults follow lRomul/ball-action-spotting (2023, first place): a Gaussian filter, then local
maxima of a minimum height and distance, with the smoothed score as confidence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from bas.config import CalibrationPoint, PeaksSettings
from bas.evaluate.postprocess.suppression import pick_events
from bas.types import Detection, Scores

TEAM_SUFFIXES = "-left", "-right"
"""Suffixes of the score columns that belong to one team."""


def detect(scores: Scores, settings: PeaksSettings) -> list[Detection]:
    """Detections of one video, sorted by frame; a column named `PASS-left` yields detections of a team."""
    found = []
    for name, column in zip(scores.classes, scores.values.T, strict=True):
        label, team = split_team(name)
        of_class = settings.for_action(label)
        events = pick_events(smooth(column, sigma=of_class.sigma), of_class)
        calibrated = calibrate(events.scores, settings.confidences.get(label, ()))
        for frame, confidence in zip(events.frames.tolist(), calibrated.tolist(), strict=True):
            found.append(Detection(frame, label, confidence, team))
    return sorted(found, key=lambda detection: detection.frame)


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


def split_team(name: str) -> tuple[str, str | None]:
    """Action and team of a score column: `PASS-left` is a pass by the left team."""
    for suffix in TEAM_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix[1:]
    return name, None


def actions_of(classes: Sequence[str]) -> tuple[str, ...]:
    """The actions behind score columns, without teams, each once and in order."""
    return tuple(dict.fromkeys(split_team(name)[0] for name in classes))
