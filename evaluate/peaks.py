"""From dense scores to events: smooth, then take the peaks.

The method and its defaults follow lRomul/ball-action-spotting (2023, first place): a Gaussian
filter, then local maxima of a least height and distance, with the smoothed score as confidence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bas.config.settings import PeaksSettings
from bas.types import Detection, Scores

_TEAM_ENDS = "-left", "-right"


def detections(scores: Scores, settings: PeaksSettings) -> list[Detection]:
    """Events of one video, in time; a column named `PASS-left` gives events of a team."""
    found = []
    for name, column in zip(scores.classes, smooth(scores.values, sigma=settings.sigma).T, strict=True):
        label, team = split_team(name)
        for frame in _peaks(column, height=settings.height, distance=settings.distance):
            found.append(Detection(frame, label, min(max(float(column[frame]), 0.0), 1.0), team))
    return sorted(found, key=lambda detection: detection.frame)


def smooth(
    values: Float[np.ndarray, "frames classes"], *, sigma: float
) -> Float[np.ndarray, "frames classes"]:
    """Gaussian filter over time, reflected at both ends and cut at four sigma; float64.

    Args:
        values: scores.
        sigma: frames; 0 smooths nothing.
    """
    from scipy.ndimage import gaussian_filter1d

    columns = np.ascontiguousarray(values.T, dtype=np.float64)  # a filter along contiguous time is faster
    filtered: Float[np.ndarray, "classes frames"] = (
        gaussian_filter1d(columns, sigma, axis=1) if sigma else columns
    )
    return filtered.T


def split_team(name: str) -> tuple[str, str | None]:
    """Action and team of a score column: `PASS-left` is a pass of the left team."""
    for end in _TEAM_ENDS:
        if name.endswith(end):
            return name.removesuffix(end), end[1:]
    return name, None


def actions_of(classes: Sequence[str]) -> tuple[str, ...]:
    """The vocabulary of score columns, without teams and each action once."""
    return tuple(dict.fromkeys(split_team(name)[0] for name in classes))


def _peaks(column: Float[np.ndarray, "frames"], *, height: float, distance: int) -> list[int]:
    """Frames of the local maxima, the first and the last frame among them."""
    from scipy.signal import find_peaks

    padded = np.pad(column, 1, constant_values=-1.0)  # a maximum needs a lower neighbor on both sides
    frames, _ = find_peaks(padded, height=height, distance=distance)
    return [int(frame) - 1 for frame in frames]
