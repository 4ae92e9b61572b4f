"""From dense scores to events: smooth, take what stands out, and say how sure it is.

The defaults follow lRomul/ball-action-spotting (2023, first place): a Gaussian filter, then local
maxima of a least height and distance, with the smoothed score as confidence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from bas.config import Knot, PeaksSettings
from bas.evaluate.suppression import claims
from bas.types import Detection, Scores

TEAM_ENDS = "-left", "-right"
"""Of the names of score columns that speak of one team."""


def detections(scores: Scores, settings: PeaksSettings) -> list[Detection]:
    """Events of one video, in time; a column named `PASS-left` gives events of a team."""
    found = []
    for name, column in zip(scores.classes, scores.values.T, strict=True):
        label, team = split_team(name)
        of_class = settings.of(label)
        events = claims(smooth(column, sigma=of_class.sigma), of_class)
        sure = confidences(events.scores, settings.confidences.get(label, ()))
        for frame, confidence in zip(events.ticks.tolist(), sure.tolist(), strict=True):
            found.append(Detection(frame, label, confidence, team))
    return sorted(found, key=lambda detection: detection.frame)


def smooth(column: Float[np.ndarray, "frames"], *, sigma: float) -> Float64[np.ndarray, "frames"]:
    """Gaussian filter over time, reflected at both ends and cut at four sigma.

    Args:
        column: scores of one class.
        sigma: frames; 0 smooths nothing.
    """
    from scipy.ndimage import gaussian_filter1d

    values = column.astype(np.float64)
    filtered: Float64[np.ndarray, "frames"] = gaussian_filter1d(values, sigma) if sigma else values
    return filtered


def confidences(scores: Float64[np.ndarray, "n"], knots: Sequence[Knot]) -> Float64[np.ndarray, "n"]:
    """What is written for smoothed scores: they themselves, or spread by the knots of their action; in [0, 1]."""
    found, written = np.array(knots or ((0, 0), (1, 1)), dtype=np.float64).T
    spread: Float64[np.ndarray, "n"] = np.interp(scores, found, written)
    return spread


def split_team(name: str) -> tuple[str, str | None]:
    """Action and team of a score column: `PASS-left` is a pass of the left team."""
    for end in TEAM_ENDS:
        if name.endswith(end):
            return name.removesuffix(end), end[1:]
    return name, None


def actions_of(classes: Sequence[str]) -> tuple[str, ...]:
    """The vocabulary of score columns, without teams and each action once."""
    return tuple(dict.fromkeys(split_team(name)[0] for name in classes))
