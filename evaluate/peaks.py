"""From dense scores to events: smooth, then take the peaks.

The method and its defaults follow lRomul/ball-action-spotting (2023, first place): a Gaussian
filter, then local maxima of a least height and distance, with the smoothed score as confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int64

from bas.config.settings import ClassPeaksSettings, PeaksSettings
from bas.evaluate.suppression import suppress
from bas.types import Detection, Scores

Method = Literal["peaks", "hard NMS", "soft NMS"]

_MOST = 5000  # maxima of a video that suppression looks at, several times what a class has of actions
_TEAM_ENDS = "-left", "-right"


def detections(scores: Scores, settings: PeaksSettings) -> list[Detection]:
    """Events of one video, in time; a column named `PASS-left` gives events of a team."""
    found = []
    smoothed: dict[float, Float[np.ndarray, "frames classes"]] = {}
    for k, name in enumerate(scores.classes):
        label, team = split_team(name)
        own = settings.of(label)
        if own.sigma not in smoothed:
            smoothed[own.sigma] = smooth(scores.values, sigma=own.sigma)
        frames, heights = events_of(smoothed[own.sigma][:, k], own, method=settings.method)
        confidences = calibrate(heights, own.calibration)
        found += [
            Detection(frame, label, min(max(confidence, 0.0), 1.0), team)
            for frame, confidence in zip(frames.tolist(), confidences.tolist(), strict=True)
        ]
    return sorted(found, key=lambda detection: detection.frame)


def events_of(
    column: Float[np.ndarray, "frames"], settings: ClassPeaksSettings, *, method: Method
) -> tuple[Int64[np.ndarray, "events"], Float64[np.ndarray, "events"]]:
    """Frames and heights of the events of a smoothed column, in time."""
    if method == "peaks":
        frames = _peaks(column, height=settings.height, distance=settings.distance)
        return frames, column[frames].astype(np.float64)
    maxima = _peaks(column, height=settings.height, distance=1)
    if len(maxima) > _MOST:
        maxima = np.sort(maxima[np.argsort(-column[maxima], kind="stable")[:_MOST]])
    return suppress(
        maxima,
        column[maxima].astype(np.float64),
        window=settings.distance,
        least=settings.height,
        soft=method == "soft NMS",
    )


def calibrate(
    heights: Float64[np.ndarray, "events"], points: Sequence[tuple[float, float]]
) -> Float64[np.ndarray, "events"]:
    """Confidences of heights, along a rising line; without points they are the heights."""
    if not points:
        return heights
    x, y = zip(*points, strict=True)
    confidences: Float64[np.ndarray, "events"] = np.interp(heights, x, y)
    return confidences


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


def _peaks(
    column: Float[np.ndarray, "frames"], *, height: float, distance: int
) -> Int64[np.ndarray, "events"]:
    """Frames of the local maxima, the first and the last frame among them."""
    from scipy.signal import find_peaks

    padded = np.pad(column, 1, constant_values=-1.0)  # a maximum needs a lower neighbor on both sides
    frames, _ = find_peaks(padded, height=height, distance=distance)
    return np.asarray(frames, np.int64) - 1
