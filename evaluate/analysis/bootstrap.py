"""Block-bootstrap confidence intervals for mAP, on the same resamples for all systems that are compared.

Blocks of one minute are resampled with replacement within every game; with five games or more, the
games are resampled too. A block is long compared to an action and short compared to a game
(Künsch, The Jackknife and the Bootstrap for General Stationary Observations, 1989). Spots and
detections are matched once, on the whole games. A resample then weights the contribution of each
minute to the counts at every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float64, Int64

from bas import console
from bas.evaluate.metric.average_precision import (
    RECALLS,
    THRESHOLDS,
    ScoringTimeline,
    average_over_tolerances,
    match_detections,
)
from bas.evaluate.metric.timelines import half_timelines
from bas.evaluate.metric.tolerance import Tolerance, half_window_frames, parse_tolerance
from bas.evaluate.scoring.score import FRAMERATE
from bas.types import Prediction, Spot

BLOCK_SECONDS = 60
_MIN_RESAMPLED_GAMES = 5  # below, only the blocks within each game are resampled
MIN_BLOCKS = 3
"""Number of blocks per game below which resampling hardly changes a score, so that its interval is meaningless."""
_CONFIDENCE = 95
_LEVELS = len(THRESHOLDS) + 1  # a detection passes none of the thresholds, or 1, or up to all
_RESAMPLES_AT_ONCE = 100  # their tables then stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Interval:
    """Central 95 % of the resamples."""

    low: float
    high: float


def percentile_interval(values: Float64[np.ndarray, "resamples"]) -> Interval:
    """Percentile interval of resampled values, or of differences between them."""
    tail = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high))


def resampled_mean_ap(
    labels: Mapping[str, Sequence[Spot]],
    systems: Sequence[Mapping[str, Sequence[Prediction]]],
    *,
    classes: Sequence[str],
    tolerance: Tolerance = 1,
    framerate: int = FRAMERATE,
    resamples: int = 1000,
    seed: int = 0,
) -> Float64[np.ndarray, "systems resamples"]:
    """mAP of every system on each resample; resamples are shared, so that systems can be subtracted.

    A class that never occurs counts as 0, as in the official score. A class that occurs, but in no
    minute of a resample, has no AP there; the mean of the others stands in for it.

    Args:
        labels: annotations by game.
        systems: for every system, predictions by the same games.
        classes: the vocabulary.
        tolerance: as `bas.evaluate.metric.tolerance.parse_tolerance` takes it.
        framerate: frames per second of the official clock.
        resamples: number of resamples.
        seed: seed of the resampling.
    """
    games = [
        [
            half_timelines(spots, system[game], classes=classes, framerate=framerate).timelines
            for system in systems
        ]
        for game, spots in labels.items()
    ]
    lengths = [_num_blocks(halves, framerate=framerate) for halves in games]
    # One table for all systems: a difference between two is then that on the same minutes.
    weights = draw_block_counts([int(one.sum()) for one in lengths], resamples=resamples, seed=seed)
    half_windows = [
        half_window_frames(seconds, framerate=framerate) for seconds in parse_tolerance(tolerance)
    ]
    values = np.empty((len(systems), len(weights)))
    with console.progress("Resampling minutes", values.size, unit="resamples") as advance:
        for number in range(len(systems)):
            timelines = [
                (halves[number], of_halves) for halves, of_halves in zip(games, lengths, strict=True)
            ]
            counts = _count(timelines, half_windows=half_windows, framerate=framerate)
            for first in range(0, len(weights), _RESAMPLES_AT_ONCE):
                chunk = slice(first, first + _RESAMPLES_AT_ONCE)
                values[number, chunk] = _mean_ap(weights[chunk], counts)
                advance(len(weights[chunk]))
    return values


def draw_block_counts(
    blocks: Sequence[int], *, resamples: int, seed: int
) -> Float64[np.ndarray, "resamples blocks"]:
    """Number of times that each block of each game is in each resample.

    Args:
        blocks: number of blocks of every game; 0 if it has neither spots nor detections.
        resamples: number of resamples.
        seed: seed of the resampling.
    """
    generator = np.random.default_rng(seed)
    repeats = np.ones((resamples, len(blocks)), np.int64)
    if len(blocks) >= _MIN_RESAMPLED_GAMES:
        repeats = generator.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), resamples)
    # A game that is in a resample k times brings k times as many blocks as it has, all drawn anew.
    counts = [
        generator.multinomial(repeats[:, game] * count, np.full(count, 1 / count))
        for game, count in enumerate(blocks)
        if count
    ]
    return np.concatenate([np.zeros((resamples, 0)), *counts], axis=1)


def num_blocks(halves: Sequence[ScoringTimeline], *, framerate: int) -> int:
    """Number of blocks of a game, up to the last spot or detection of each half."""
    return sum(_last_block(half, framerate=framerate) for half in halves)


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Counts of every block, as sparse matrices: most blocks hold few detections, at few of the thresholds.

    A cell is a class and the number of thresholds that a detection passes, from none to all.
    """

    detections: Any
    """Number of detections, of shape (cells, blocks)."""
    hits: tuple[Any, ...]
    """Number of detections that are hits, of the same shape, one matrix per tolerance."""
    spots: Any
    """Number of spots, of shape (classes, blocks)."""


def _num_blocks(
    systems: Sequence[Sequence[ScoringTimeline]], *, framerate: int
) -> Int64[np.ndarray, "halves"]:
    """Number of blocks of each half of a game, up to the last spot or detection of any system."""
    return np.array(
        [max(_last_block(t, framerate=framerate) for t in halves) for halves in zip(*systems, strict=True)]
    )


def _last_block(timeline: ScoringTimeline, *, framerate: int) -> int:
    ends = [marks.frames[-1] + 1 for marks in (*timeline.spots, *timeline.detections) if len(marks.frames)]
    return -(-int(max(ends, default=0)) // (BLOCK_SECONDS * framerate))  # rounded up


def _count(
    games: Sequence[tuple[Sequence[ScoringTimeline], Int64[np.ndarray, "halves"]]],
    *,
    half_windows: Sequence[int],
    framerate: int,
) -> BlockCounts:
    """Counts of all blocks of all games, in order: those of a half follow on those of the half before."""
    blocks, cells, spot_blocks, spot_classes = [], [], [], []
    hits: list[list[Bool[np.ndarray, "n"]]] = [[] for _ in half_windows]
    first = 0  # first block of the half
    for timelines, lengths in games:
        for timeline, length in zip(timelines, lengths.tolist(), strict=True):
            pairs = zip(timeline.spots, timeline.detections, strict=True)
            for column, (annotated, detected) in enumerate(pairs):
                blocks.append(first + detected.frames // (BLOCK_SECONDS * framerate))
                cells.append(column * _LEVELS + np.searchsorted(THRESHOLDS, detected.values, "right"))
                spot_blocks.append(first + annotated.frames // (BLOCK_SECONDS * framerate))
                spot_classes.append(np.full(len(annotated.frames), column))
                for of_window, half_window in zip(hits, half_windows, strict=True):
                    of_window.append(match_detections(annotated, detected, half_window=half_window))
            first += length
    num_classes = len(games[0][0][0].spots)
    block, cell, shape = np.concatenate(blocks), np.concatenate(cells), (num_classes * _LEVELS, first)
    masks = (np.concatenate(of_window) for of_window in hits)
    return BlockCounts(
        _counted(cell, block, shape),
        tuple(_counted(cell[mask], block[mask], shape) for mask in masks),
        _counted(np.concatenate(spot_classes), np.concatenate(spot_blocks), (num_classes, first)),
    )


def _counted(rows: Int64[np.ndarray, "n"], columns: Int64[np.ndarray, "n"], shape: tuple[int, int]) -> Any:
    """Sparse matrix that counts how often each row and column occur together."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(rows)), (rows, columns)), shape)  # adds up what occurs several times


def _mean_ap(
    weights: Float64[np.ndarray, "resamples blocks"], counts: BlockCounts
) -> Float64[np.ndarray, "resamples"]:
    by_block = np.ascontiguousarray(weights.T)
    spots = counts.spots @ by_block
    detections = np.maximum(_at_or_above(counts.detections @ by_block), 1)
    occurring = int((counts.spots.sum(axis=1) > 0).sum())
    present = np.maximum((spots > 0).sum(axis=0), 1)
    by_tolerance = []
    for one in counts.hits:
        hits = _at_or_above(one @ by_block)
        precision, recall = hits / detections, hits / np.maximum(spots, 1)[:, None]
        # The 11-point AP of `interpolated_ap`, for all classes and resamples at once.
        ap = np.zeros(spots.shape)
        for level in RECALLS:
            ap += np.where(recall >= level, precision, 0.0).max(axis=1)
        ap = np.where(spots > 0, ap / len(RECALLS), 0.0)
        # Mean over the classes present in the resample, scaled so that classes that never occur count as 0.
        sums = np.ascontiguousarray(ap.T).sum(
            axis=1
        )  # contiguous: numpy then adds in the same order for any chunk
        by_tolerance.append(sums / present * (occurring / len(spots)))
    return average_over_tolerances(np.stack(by_tolerance))


def _at_or_above(
    passed: Float64[np.ndarray, "cells resamples"],
) -> Float64[np.ndarray, "classes thresholds resamples"]:
    """Turn counts by number of thresholds passed into counts that pass each threshold."""
    by_level = rearrange(passed, "(c level) r -> c level r", level=_LEVELS)
    # Summed from the most passed down to the fewest; those that pass none are left out.
    return by_level[:, ::-1].cumsum(axis=1)[:, -2::-1]
