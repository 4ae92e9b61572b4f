"""Average precision of spotted actions: the official metric of SoccerNet's spotting challenges.

Giancola, Amine, Dghaily and Ghanem, SoccerNet: A Scalable Dataset for Action Spotting in Soccer
Videos, CVPR Workshops 2018, as computed by `average_mAP` of the SoccerNet package 0.2.0. For
teams, Team-mAP of the SoccerNet ball action spotting challenge 2025. The results equal both to the
last bit for a single tolerance, without building the dense vectors of 120 minutes.

Conventions: a frame is a row of the official evaluator, `framerate` of them per second. A timeline
is the unit within which spots and detections are matched: one half of a game, or the whole game
for Team-mAP. A value is 1 for a visible spot, -1 for an unshown one, and the confidence for a
detection. A tolerance is the full window width: 1 s means ±12 frames at 25 fps.

Metrics:
    `average_precision`: AP of every class at one or more tolerances; also for visible and unshown
        spots alone, and with every distinct confidence as a threshold.
    `team_average`: AP of every action from those of its two teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float64, Int64

from bas.evaluate.metric.tolerance import half_window_frames

VECTOR_SECONDS = 120 * 60
"""Length of the official evaluator's vectors; later positions are moved onto the last row."""

THRESHOLDS = np.linspace(0, 1, 200)
RECALLS = np.arange(11) / 10
_UNSHOWN_FACTOR = 17, 13  # the evaluator multiplies by 17 and divides by 13 if there are several tolerances


@dataclass(frozen=True, slots=True)
class MarkArrays:
    """Spots or detections in document order.

    Of several marks on the same frame and column, the last one counts.
    """

    frames: Int64[np.ndarray, "n"]
    columns: Int64[np.ndarray, "n"]
    values: Float64[np.ndarray, "n"]


@dataclass(frozen=True, slots=True)
class ClassMarks:
    """Spots or detections of one class in one timeline, with strictly increasing frames."""

    frames: Int64[np.ndarray, "n"]
    values: Float64[np.ndarray, "n"]


@dataclass(frozen=True, slots=True)
class ScoringTimeline:
    """Spots and detections of every class that are matched against each other."""

    spots: tuple[ClassMarks, ...]
    detections: tuple[ClassMarks, ...]


@dataclass(frozen=True, slots=True)
class MeanAP:
    """AP of every class and their plain mean, where a class without spots counts as 0."""

    mean: float
    per_class: Float64[np.ndarray, "classes"]


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """Result of `average_precision`, averaged over the tolerances if there are several."""

    overall: MeanAP
    """The official number: all spots, 200 thresholds."""
    visible: MeanAP
    unshown: MeanAP
    exact: MeanAP
    """All spots, every distinct confidence as a threshold; invariant to rescaling of confidences."""


def official_frames(
    positions_ms: Sequence[int] | Int64[np.ndarray, "n"] | Float64[np.ndarray, "n"], *, framerate: int
) -> Int64[np.ndarray, "n"]:
    """Row of the evaluator's vector for each position, by its floating-point clock.

    The clock truncates: at 25 fps, 6 % of the multiples of 40 ms come out one frame early.
    Frames beyond the last row become the last row; negative ones count from the end.
    """
    length = VECTOR_SECONDS * framerate
    # Divide first, as the evaluator does: any other order of operations rounds differently.
    seconds = np.asarray(positions_ms, dtype=np.float64) / 1000
    frames = np.minimum(np.trunc(framerate * seconds), length - 1).astype(np.int64)
    return np.where(frames < 0, frames + length, frames)


def build_timeline(spots: MarkArrays, detections: MarkArrays, *, num_classes: int) -> ScoringTimeline:
    """Group the marks of one timeline by class.

    A detection whose value is NaN or below 0 is dropped, but only after it has replaced an earlier
    detection on the same frame.
    """
    detected = _by_class(detections, num_classes=num_classes)
    return ScoringTimeline(
        _by_class(spots, num_classes=num_classes),
        # False for NaN, too
        tuple(ClassMarks(one.frames[one.values >= 0], one.values[one.values >= 0]) for one in detected),
    )


def average_precision(
    timelines: Sequence[ScoringTimeline], *, num_classes: int, framerate: int, tolerances: Sequence[float]
) -> AveragePrecision:
    """Score timelines together; several tolerances are averaged by the official trapezoid.

    Args:
        timelines: in any order.
        num_classes: number of columns of every timeline.
        framerate: rows per second, as passed to `official_frames`.
        tolerances: full window widths in seconds, increasing.
    """
    assert tolerances, "no tolerance"
    pooled = [_pool(timelines, column) for column in range(num_classes)]
    values = np.empty((len(tolerances), num_classes, 4))
    for row, tolerance in enumerate(tolerances):
        half_window = half_window_frames(tolerance, framerate=framerate)
        for index, of_class in enumerate(pooled):
            values[row, index] = _ap_variants(of_class, half_window=half_window)
    overall, visible, unshown, exact = (
        _mean_ap_over_tolerances(variant) for variant in rearrange(values, "t c variant -> variant t c")
    )
    if len(tolerances) > 1:
        factor, divisor = _UNSHOWN_FACTOR
        unshown = MeanAP(unshown.mean * factor / divisor, unshown.per_class)
    return AveragePrecision(overall, visible, unshown, exact)


def team_average(
    per_class: Float64[np.ndarray, "two_per_action"], support: Float64[np.ndarray, "two_per_action"]
) -> MeanAP:
    """AP of every action: the mean of its left and right column, weighted by their spots.

    An action without any spot is NaN, and then so is the mean, as in the official evaluator.

    Args:
        per_class: AP of the columns, left and right of each action in turn.
        support: sum of the spot values of each column.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = per_class[0::2] * support[0::2], per_class[1::2] * support[1::2]
        per_action = (left + right) / (support[0::2] + support[1::2])
    return MeanAP(float(np.mean(per_action)), per_action)


def support(timelines: Sequence[ScoringTimeline], *, num_classes: int) -> Float64[np.ndarray, "classes"]:
    """Sum of the spot values of every class."""
    return np.array([sum(float(t.spots[c].values.sum()) for t in timelines) for c in range(num_classes)])


@dataclass(frozen=True, slots=True)
class _PooledClass:
    """One class over all timelines, with its detections concatenated in timeline order."""

    pairs: tuple[tuple[ClassMarks, ClassMarks], ...]
    """Spots and detections of each timeline."""
    nearest: Float64[np.ndarray, "n"]
    """Value of the spot nearest to each detection; -1 if its timeline has no spot."""
    num_visible: int
    num_unshown: int


def _by_class(marks: MarkArrays, *, num_classes: int) -> tuple[ClassMarks, ...]:
    assert len(marks.frames) == len(marks.columns) == len(marks.values)
    assert marks.frames.min(initial=0) >= 0, marks.frames.min()
    assert ((marks.columns >= 0) & (marks.columns < num_classes)).all(), marks.columns
    # The sort is stable, so of marks on the same frame and column the last in the document stays last.
    order = np.lexsort((marks.frames, marks.columns))  # by column, then by frame
    frames, columns = marks.frames[order], marks.columns[order]
    last = (np.diff(frames, append=-1) != 0) | (np.diff(columns, append=-1) != 0)
    frames, columns, values = frames[last], columns[last], marks.values[order][last]
    borders = np.searchsorted(columns, np.arange(num_classes + 1))
    return tuple(ClassMarks(frames[a:b], values[a:b]) for a, b in pairwise(borders.tolist()))


def _pool(timelines: Sequence[ScoringTimeline], column: int) -> _PooledClass:
    pairs = tuple((t.spots[column], t.detections[column]) for t in timelines)
    values = np.concatenate([np.zeros(0), *(spots.values for spots, _ in pairs)])
    nearest = (_nearest(spots, detections.frames) for spots, detections in pairs)
    return _PooledClass(
        pairs,
        nearest=np.concatenate([np.zeros(0), *nearest]),
        num_visible=int(np.count_nonzero(values > 0)),
        num_unshown=int(np.count_nonzero(values < 0)),
    )


def _nearest(spots: ClassMarks, frames: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Value of the spot nearest to each frame; half way between two, that of the later one."""
    if not len(spots.frames):
        return np.full(len(frames), -1.0)
    # Rounded down, as in the evaluator: at an odd distance, the frame just before the middle goes to the later spot, too.
    borders = (spots.frames[:-1] + spots.frames[1:]) // 2
    return spots.values[np.searchsorted(borders, frames, side="right")]


def pooled_hits(
    pairs: Sequence[tuple[ClassMarks, ClassMarks]], *, half_window: int
) -> tuple[Float64[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Scores of the detections of one class over all timelines, and which of them are hits.

    Args:
        pairs: spots and detections of each timeline.
        half_window: frames that a detection may lie from its spot, on either side.
    """
    matched = (match_detections(*pair, half_window=half_window) for pair in pairs)
    scores = np.concatenate([np.zeros(0), *(detections.values for _, detections in pairs)])
    return scores, np.concatenate([np.zeros(0, dtype=bool), *matched])


def match_detections(spots: ClassMarks, detections: ClassMarks, *, half_window: int) -> Bool[np.ndarray, "n"]:
    """Which detections are hits.

    Spots are visited in time order. Each takes the free detection of highest confidence within
    `half_window` frames, the earliest on ties. An earlier spot may therefore steal the detection of
    a later one, as it does in the official evaluator.
    """
    free = detections.values.copy()
    starts = np.searchsorted(detections.frames, spots.frames - half_window)
    stops = np.searchsorted(detections.frames, spots.frames + half_window, side="right")
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if start < stop:
            best = start + int(free[start:stop].argmax())
            free[best] = -1.0  # taken; a no-op if every detection in the window already is
    return free < 0


def _ap_variants(pooled: _PooledClass, *, half_window: int) -> tuple[float, float, float, float]:
    """AP over all spots, over the visible and over the unshown ones, and over all with exact thresholds."""
    scores, hits = pooled_hits(pooled.pairs, half_window=half_window)
    # Spots are matched once, whatever their visibility, and both sides are split afterwards. The evaluator has no
    # visibility for detections: it assigns each one that of its nearest spot, whether it is a hit or not.
    visible, unshown = pooled.nearest > 0, pooled.nearest < 0
    num_spots = pooled.num_visible + pooled.num_unshown
    return (
        interpolated_ap(scores, hits, num_spots=num_spots, thresholds=THRESHOLDS),
        interpolated_ap(scores[visible], hits[visible], num_spots=pooled.num_visible, thresholds=THRESHOLDS),
        interpolated_ap(scores[unshown], hits[unshown], num_spots=pooled.num_unshown, thresholds=THRESHOLDS),
        interpolated_ap(scores, hits, num_spots=num_spots, thresholds=np.unique(scores)),
    )


def interpolated_ap(
    scores: Float64[np.ndarray, "n"],
    hits: Bool[np.ndarray, "n"],
    *,
    num_spots: int,
    thresholds: Float64[np.ndarray, "t"],
) -> float:
    """11-point interpolated AP (PASCAL VOC 2007): mean over 11 recalls of the best precision at or above each."""
    if not num_spots or not hits.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    # A detection passes a threshold that it equals; the numbers are per threshold, from 0 to all detections.
    num_detections = len(scores) - np.searchsorted(scores[order][::-1], thresholds)
    num_hits = np.concatenate([[0], np.cumsum(hits[order])])[num_detections]
    precision = num_hits / np.maximum(num_detections, 1)
    recall = num_hits / num_spots
    best = np.where(recall >= RECALLS[:, None], precision, 0.0).max(axis=1)
    # Add in order, as the evaluator does: np.sum adds pairwise and rounds differently.
    return float(np.cumsum(best)[-1] / 11)


def _mean_ap_over_tolerances(values: Float64[np.ndarray, "tolerances classes"]) -> MeanAP:
    # The mean is averaged on its own, not taken of the averaged classes: the bits would differ.
    means = np.array([np.mean(per_class) for per_class in values])
    return MeanAP(float(average_over_tolerances(means)), average_over_tolerances(values))


def average_over_tolerances(values: Float64[np.ndarray, "tolerances *rest"]) -> Float64[np.ndarray, "*rest"]:
    """Trapezoid over equally weighted steps, so the first and last tolerance count half; a single value as is."""
    if len(values) == 1:
        return np.asarray(values[0])
    total = np.zeros(values.shape[1:])
    for one, next_one in pairwise(values):
        total = total + (one + next_one) / 2
    return np.asarray(total / (len(values) - 1))
