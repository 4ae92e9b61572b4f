"""Average precision of spotted actions: the official metric of SoccerNet's spotting challenges.

Giancola, Amine, Dghaily and Ghanem, SoccerNet: A Scalable Dataset for Action Spotting in Soccer
Videos, CVPR Workshops 2018, as computed by `average_mAP` of the SoccerNet package 0.2.0; for
teams, Team-mAP of the SoccerNet ball action spotting challenge 2025. The numbers equal those of
the two, to the last bit for one tolerance; the dense vectors of 120 minutes are not built.

Conventions: a frame is a row of the official evaluator, `framerate` of them a second. A timeline
is what is matched together: one half of one game, or for teams one whole game. A value is
1 for a spot that is visible, -1 for one that is not shown, and the confidence of a detection.
"A tolerance of 1 s" is a window of one second in all: 12 frames to either side at 25 a second.

Metrics:
    `average_precision`: AP of every class at one or more tolerances, also for visible and for
        unshown spots alone, and with every distinct confidence as a threshold.
    `team_average`: AP of every action from those of its two teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float64, Int64

from bas.evaluate.tolerance import reach_frames

VECTOR_SECONDS = 120 * 60
"""Length of the evaluator's vectors: what lies beyond is moved onto their last row."""

THRESHOLDS = np.linspace(0, 1, 200)
RECALLS = np.arange(11) / 10
_UNSHOWN_FACTOR = 17, 13  # the evaluator multiplies and divides by these where tolerances are several


@dataclass(frozen=True, slots=True)
class Entries:
    """Spots or detections in the order of their document: a later one replaces an earlier one on its cell."""

    frames: Int64[np.ndarray, "n"]
    columns: Int64[np.ndarray, "n"]
    values: Float64[np.ndarray, "n"]


@dataclass(frozen=True, slots=True)
class Cells:
    """What one class holds in one timeline: increasing frames and their values."""

    frames: Int64[np.ndarray, "n"]
    values: Float64[np.ndarray, "n"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is matched together: the cells of every class, as annotated and as claimed."""

    spots: tuple[Cells, ...]
    detections: tuple[Cells, ...]


@dataclass(frozen=True, slots=True)
class Average:
    """AP of every class and their plain mean, in which a class without spots counts 0."""

    mean: float
    per_class: Float64[np.ndarray, "classes"]


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """What `average_precision` returns; with several tolerances each is averaged over them."""

    every: Average
    """The official number: 200 thresholds."""
    visible: Average
    unshown: Average
    exact: Average
    """Every distinct confidence is a threshold: what no rescaling of the confidences changes."""


def validate(entries: Entries, *, num_classes: int) -> None:
    """Assert that entries can be scored: one frame, column and value each, all in range."""
    assert len(entries.frames) == len(entries.columns) == len(entries.values)
    if len(entries.frames):
        assert entries.frames.min() >= 0, entries.frames.min()
        assert 0 <= entries.columns.min() <= entries.columns.max() < num_classes, entries.columns


def official_frames(positions_ms: Float64[np.ndarray, "n"], *, framerate: int) -> Int64[np.ndarray, "n"]:
    """Row of the evaluator's vector for each position, by its floating-point clock.

    The clock truncates: 6 % of the multiples of 40 ms come out one frame early at 25 a second.
    Frames after the last row become the last one, negative ones count from the end.
    """
    length = VECTOR_SECONDS * framerate
    frames = np.minimum(np.trunc(framerate * (positions_ms / 1000)), length - 1).astype(np.int64)
    return np.where(frames < 0, frames + length, frames)


def timeline(spots: Entries, detections: Entries, *, num_classes: int) -> Timeline:
    """Lay out one timeline by class; a value below 0 or NaN is no detection, but does replace one."""
    validate(spots, num_classes=num_classes)
    validate(detections, num_classes=num_classes)
    claimed = _by_class(detections, num_classes=num_classes)
    return Timeline(
        _by_class(spots, num_classes=num_classes),
        tuple(Cells(cells.frames[cells.values >= 0], cells.values[cells.values >= 0]) for cells in claimed),
    )


def average_precision(
    timelines: Sequence[Timeline], *, num_classes: int, framerate: int, tolerances: Sequence[float]
) -> AveragePrecision:
    """Score timelines together; with several tolerances, the official trapezoid over them.

    Args:
        timelines: in any order.
        num_classes: columns of every timeline.
        framerate: rows a second, that of `official_frames`.
        tolerances: whole windows in seconds, increasing.
    """
    assert tolerances, "no tolerance"
    columns = [_pool(timelines, column) for column in range(num_classes)]
    values = np.empty((len(tolerances), num_classes, 4))
    for row, tolerance in enumerate(tolerances):
        reach = reach_frames(tolerance, framerate=framerate)
        for index, column in enumerate(columns):
            values[row, index] = _sides(column, _matched(column, reach=reach))
    every, visible, unshown, exact = (
        _over_tolerances(side) for side in rearrange(values, "t c side -> side t c")
    )
    if len(tolerances) > 1:
        factor, divisor = _UNSHOWN_FACTOR
        unshown = Average(unshown.mean * factor / divisor, unshown.per_class)
    return AveragePrecision(every, visible, unshown, exact)


def team_average(
    per_class: Float64[np.ndarray, "two_per_action"], support: Float64[np.ndarray, "two_per_action"]
) -> Average:
    """AP of every action: that of its left and right column, weighted by their spots.

    An action without any spot is NaN, and so is the mean then, as in the official evaluator.

    Args:
        per_class: AP of the columns, left and right of each action in turn.
        support: sum of the label values of each column.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = per_class[0::2] * support[0::2], per_class[1::2] * support[1::2]
        per_action = (left + right) / (support[0::2] + support[1::2])
    return Average(float(np.mean(per_action)), per_action)


def support(timelines: Sequence[Timeline], *, num_classes: int) -> Float64[np.ndarray, "classes"]:
    """Sum of the label values of every class."""
    return np.array([sum(float(t.spots[c].values.sum()) for t in timelines) for c in range(num_classes)])


@dataclass(frozen=True, slots=True)
class _Column:
    """One class over all timelines: its cells, and its detections pooled in their order."""

    cells: tuple[tuple[Cells, Cells], ...]
    scores: Float64[np.ndarray, "n"]
    nearest: Float64[np.ndarray, "n"]
    """Value of the spot nearest to each detection, -1 where its timeline has none."""
    num_visible: int
    num_unshown: int


def _by_class(entries: Entries, *, num_classes: int) -> tuple[Cells, ...]:
    order = np.lexsort((entries.frames, entries.columns))  # stable: the last of equal cells came last
    frames, columns = entries.frames[order], entries.columns[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (np.diff(frames) != 0) | (np.diff(columns) != 0)
    frames, columns, values = frames[last], columns[last], entries.values[order][last]
    borders = np.searchsorted(columns, np.arange(num_classes + 1))
    return tuple(Cells(frames[a:b], values[a:b]) for a, b in pairwise(borders.tolist()))


def _pool(timelines: Sequence[Timeline], column: int) -> _Column:
    cells = tuple((t.spots[column], t.detections[column]) for t in timelines)
    empty = np.zeros(0)
    values = np.concatenate([empty, *(spots.values for spots, _ in cells)])
    return _Column(
        cells,
        scores=np.concatenate([empty, *(detections.values for _, detections in cells)]),
        nearest=np.concatenate([empty, *(_nearest(spots, detections.frames) for spots, detections in cells)]),
        num_visible=int(np.count_nonzero(values > 0)),
        num_unshown=int(np.count_nonzero(values < 0)),
    )


def _nearest(spots: Cells, frames: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Value of the nearest spot; half way between two it is the later one's."""
    if not len(spots.frames):
        return np.full(len(frames), -1.0)
    borders = (spots.frames[:-1] + spots.frames[1:]) // 2
    return spots.values[np.searchsorted(borders, frames, side="right")]


def _matched(column: _Column, *, reach: int) -> Bool[np.ndarray, "n"]:
    """Which of the pooled detections a spot takes."""
    return np.concatenate([np.zeros(0, dtype=bool), *(taken(*cells, reach=reach) for cells in column.cells)])


def taken(spots: Cells, detections: Cells, *, reach: int) -> Bool[np.ndarray, "n"]:
    """Let each spot in time take the highest free detection in reach, the earliest of equals.

    The order is the spots', not the confidences': an earlier spot may steal the detection of a
    later one, and does so in the official evaluator too.
    """
    free = detections.values.copy()
    starts = np.searchsorted(detections.frames, spots.frames - reach)
    stops = np.searchsorted(detections.frames, spots.frames + reach, side="right")
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if start < stop:
            best = start + int(free[start:stop].argmax())
            free[best] = -1.0  # taken; where all are, this changes nothing
    return free < 0


def _sides(column: _Column, hits: Bool[np.ndarray, "n"]) -> tuple[float, float, float, float]:
    """AP over every spot, over the visible and the unshown ones, and the exact one."""
    visible, unshown = column.nearest > 0, column.nearest < 0
    num_spots = column.num_visible + column.num_unshown
    return (
        area(column.scores, hits, num_spots=num_spots, thresholds=THRESHOLDS),
        area(column.scores[visible], hits[visible], num_spots=column.num_visible, thresholds=THRESHOLDS),
        area(column.scores[unshown], hits[unshown], num_spots=column.num_unshown, thresholds=THRESHOLDS),
        area(column.scores, hits, num_spots=num_spots, thresholds=np.unique(column.scores)),
    )


def area(
    scores: Float64[np.ndarray, "n"],
    hits: Bool[np.ndarray, "n"],
    *,
    num_spots: int,
    thresholds: Float64[np.ndarray, "t"],
) -> float:
    """Mean over 11 recalls of the best precision that reaches them (PASCAL VOC 2007)."""
    if not num_spots or not hits.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    claimed = len(scores) - np.searchsorted(scores[order][::-1], thresholds)
    right = np.concatenate([[0], np.cumsum(hits[order])])[claimed]
    precision = right / np.maximum(claimed, 1)
    recall = right / num_spots
    best = np.where(recall >= RECALLS[:, None], precision, 0.0).max(axis=1)
    return float(np.cumsum(best)[-1] / 11)  # added in order: numpy's own sum rounds differently


def _over_tolerances(values: Float64[np.ndarray, "tolerances classes"]) -> Average:
    """Over several tolerances, the first and last of them counting half."""
    means = np.array([np.mean(per_class) for per_class in values])
    return Average(float(over_tolerances(means)), over_tolerances(values))


def over_tolerances(values: Float64[np.ndarray, "tolerances *rest"]) -> Float64[np.ndarray, "*rest"]:
    """The trapezoid over equally weighted steps."""
    if len(values) == 1:
        return np.asarray(values[0])
    total = np.zeros(values.shape[1:])
    for one, next_one in pairwise(values):
        total = total + (one + next_one) / 2
    return np.asarray(total / (len(values) - 1))
