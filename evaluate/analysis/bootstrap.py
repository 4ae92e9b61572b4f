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

import numpy as np
from einops import einsum
from jaxtyping import Float64, Int64

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
    values = np.empty((len(systems), resamples))
    for number in range(len(systems)):
        timelines = [(halves[number], of_halves) for halves, of_halves in zip(games, lengths, strict=True)]
        by_tolerance = []
        for seconds in parse_tolerance(tolerance):
            half_window = half_window_frames(seconds, framerate=framerate)
            counts = _count(timelines, half_window=half_window, framerate=framerate)
            by_tolerance.append(_mean_ap(weights, counts))
        values[number] = average_over_tolerances(np.stack(by_tolerance))
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
    """Counts of every block: detections and hits at or above each threshold, and spots."""

    detections: Float64[np.ndarray, "blocks classes thresholds"]
    hits: Float64[np.ndarray, "blocks classes thresholds"]
    spots: Float64[np.ndarray, "blocks classes"]


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
    half_window: int,
    framerate: int,
) -> BlockCounts:
    """Counts of all blocks of all games, in order: those of a half follow on those of the half before."""
    total = sum(int(lengths.sum()) for _, lengths in games)
    num_classes = len(games[0][0][0].spots)
    # Last axis: how many thresholds a detection passes, from 0 to all. `_at_or_above` turns that into thresholds.
    shape = total, num_classes, len(THRESHOLDS) + 1
    detections, hits = np.zeros((2, *shape))
    spots = np.zeros((total, num_classes))
    first = 0  # first block of the half
    for timelines, lengths in games:
        for timeline, length in zip(timelines, lengths.tolist(), strict=True):
            for column, (annotated, detected) in enumerate(
                zip(timeline.spots, timeline.detections, strict=True)
            ):
                block = first + detected.frames // (BLOCK_SECONDS * framerate)
                passed = np.searchsorted(THRESHOLDS, detected.values, "right")
                is_hit = match_detections(annotated, detected, half_window=half_window)
                cell = np.ravel_multi_index((block, np.full_like(block, column), passed), shape)
                # add.at, because several detections fall into one cell: `+=` would count one of them.
                np.add.at(detections.ravel(), cell, 1)
                np.add.at(hits.ravel(), cell, is_hit)
                np.add.at(spots[:, column], first + annotated.frames // (BLOCK_SECONDS * framerate), 1)
            first += length
    return BlockCounts(_at_or_above(detections), _at_or_above(hits), spots)


def _at_or_above(
    passed: Float64[np.ndarray, "blocks classes levels"],
) -> Float64[np.ndarray, "blocks classes thresholds"]:
    """Turn counts by number of thresholds passed into counts that pass each threshold."""
    # Summed from the most passed down to the fewest; those that pass none are left out.
    return passed[..., ::-1].cumsum(axis=2)[..., -2::-1]


def _mean_ap(
    weights: Float64[np.ndarray, "resamples blocks"], counts: BlockCounts
) -> Float64[np.ndarray, "resamples"]:
    detections, hits = (
        einsum(weights, part, "r b, b c t -> r c t") for part in (counts.detections, counts.hits)
    )
    spots = einsum(weights, counts.spots, "r b, b c -> r c")
    precision = hits / np.maximum(detections, 1)
    recall = hits / np.maximum(spots, 1)[..., None]
    # The 11-point AP of `interpolated_ap`, for all resamples (r) and classes (c) at once; t are thresholds.
    ap = np.zeros(spots.shape)
    for level in RECALLS:
        ap += np.where(recall >= level, precision, 0.0).max(axis=2)
    ap = np.where(spots > 0, ap / len(RECALLS), 0.0)
    # Mean over the classes present in the resample, scaled so that classes that never occur count as 0.
    present = np.maximum((spots > 0).sum(axis=1), 1)
    occurring = int((counts.spots.sum(axis=0) > 0).sum())
    means: Float64[np.ndarray, "resamples"] = ap.sum(axis=1) / present * (occurring / spots.shape[1])
    return means
