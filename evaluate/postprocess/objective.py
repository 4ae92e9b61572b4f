"""AP of a single action under given post-processing settings, exactly as in the score of all actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Int64

from bas.clock import positions_of
from bas.config import CalibrationPoint, DetectionSettings
from bas.evaluate.metric.average_precision import (
    THRESHOLDS,
    ClassMarks,
    interpolated_ap,
    official_frames,
    pooled_hits,
)
from bas.evaluate.metric.timelines import half_timelines
from bas.evaluate.metric.tolerance import OFFICIAL_SECONDS, half_window_frames
from bas.evaluate.postprocess.detections import calibrate, pick_detections, smooth
from bas.evaluate.postprocess.thresholds import threshold_curve
from bas.types import DenseScores, Spot
from bas.vocabulary import split_team

AP_EPSILON = 1e-9
"""Differences in AP below this are rounding."""


@dataclass(frozen=True, slots=True)
class ActionHalf:
    """Dense scores and spots of one action in one half of a game."""

    columns: tuple[Float[np.ndarray, "frames"], ...]
    """Dense scores: one column, or one per team."""
    fps: Fraction
    spots: ClassMarks
    """Spots on the official clock."""


@dataclass(frozen=True, slots=True)
class ActionScores:
    """Dense scores and spots of one action in all games."""

    halves: tuple[ActionHalf, ...]
    framerate: int
    """Frames per second of the official clock."""

    @property
    def num_spots(self) -> int:
        """Number of spots in all games."""
        return sum(len(half.spots.frames) for half in self.halves)

    @property
    def half_window(self) -> int:
        """Official frames between a spot and the farthest detection that may hit it."""
        return half_window_frames(OFFICIAL_SECONDS, framerate=self.framerate)


@dataclass(frozen=True, slots=True)
class ActionAP:
    """AP@1 of one action under some settings."""

    official: float
    """AP at the 200 official thresholds."""
    exact: float
    """AP with every distinct confidence as a threshold, hence independent of their scale."""
    scores: Float64[np.ndarray, "n"]
    """Confidences of all detections."""


def action_scores(
    labels: Mapping[str, Sequence[Spot]], dense: DenseScores, action: str, *, framerate: int
) -> ActionScores:
    """Collect the spots of one action, as they are scored at `framerate`, and its columns of the dense scores."""
    halves = []
    for game, spots in labels.items():
        timelines = half_timelines(spots, (), classes=[action], framerate=framerate).timelines
        for half, timeline in enumerate(timelines, start=1):
            scores = dense[game].get(half)
            if scores is None:
                halves.append(ActionHalf((), Fraction(framerate), timeline.spots[0]))
                continue
            named = zip(scores.classes, scores.values.T, strict=True)
            columns = tuple(np.ascontiguousarray(c) for name, c in named if split_team(name)[0] == action)
            halves.append(ActionHalf(columns, scores.fps, timeline.spots[0]))
    return ActionScores(tuple(halves), framerate)


def action_ap(
    action: ActionScores, settings: DetectionSettings, points: Sequence[CalibrationPoint] = ()
) -> ActionAP:
    """AP@1 of one action under `settings`, with confidences calibrated by `points`."""
    scores, hits = pooled_hits(_pairs(action, settings, points), half_window=action.half_window)
    official, exact = (
        interpolated_ap(scores, hits, num_spots=action.num_spots, thresholds=thresholds)
        for thresholds in (THRESHOLDS, np.unique(scores))
    )
    return ActionAP(official, exact, scores)


def display_threshold(
    action: ActionScores, settings: DetectionSettings, points: Sequence[CalibrationPoint] = ()
) -> float | None:
    """Confidence threshold of maximum F1 for showing an action's detections; None if they are mostly noise."""
    pairs = _pairs(action, settings, points)
    return threshold_curve(pairs, half_window=action.half_window).display_threshold


def _pairs(
    action: ActionScores, settings: DetectionSettings, points: Sequence[CalibrationPoint]
) -> list[tuple[ClassMarks, ClassMarks]]:
    """Spots and detections of each half."""
    return [
        (half.spots, _detections(half, settings, points, framerate=action.framerate))
        for half in action.halves
    ]


def _detections(
    half: ActionHalf, settings: DetectionSettings, points: Sequence[CalibrationPoint], *, framerate: int
) -> ClassMarks:
    """Detections of one half on the official clock; of several on an official frame, the one written last."""
    by_team = [pick_detections(smooth(column, sigma=settings.sigma), settings) for column in half.columns]
    frames = np.concatenate([np.zeros(0, np.int64), *(marks.frames for marks in by_team)])
    scores = np.concatenate([np.zeros(0), *(calibrate(marks.values, points) for marks in by_team)])
    # As in the results file: by frame, and on the same frame by increasing confidence.
    order = np.lexsort((scores, frames))
    official = _official_clock(max(map(len, half.columns), default=0), half.fps, framerate)[frames[order]]
    # Both teams count as one class here, and frames of a fast clock may share one of the official clock.
    last = np.diff(official, append=-1) != 0
    return ClassMarks(official[last], scores[order][last])


@lru_cache(maxsize=16)  # per video length and clock: the search asks for the same few again and again
def _official_clock(num_frames: int, fps: Fraction, framerate: int) -> Int64[np.ndarray, "frames"]:
    """Official frame of what is written for each frame of the model's clock."""
    return official_frames(positions_of(np.arange(num_frames), fps), framerate=framerate)
