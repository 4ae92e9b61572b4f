"""Block-bootstrap confidence intervals for mAP, on the same resamples for all systems that are compared.

Blocks of one minute are resampled with replacement within every match; with five matches or more,
the matches are resampled too. A block is long compared to an action and short compared to a match
(Künsch, The Jackknife and the Bootstrap for General Stationary Observations, 1989). Spots and
detections are matched once, on the whole matches. A resample then weights the contribution of each
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
MIN_RESAMPLED_MATCHES = 5
"""Number of matches from which on matches are resampled too."""
MIN_BLOCKS = 3
"""Number of blocks per match below which resampling hardly changes a score, so that its interval is meaningless."""
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
    weights = draw_block_counts(
        [int(of_halves.sum()) for of_halves in lengths], resamples=resamples, seed=seed
    )
    values = np.empty((len(systems), resamples))
    for number in range(len(systems)):
        timelines = [(halves[number], of_halves) for halves, of_halves in zip(games, lengths, strict=True)]
        by_tolerance = [
            _mean_ap(
                weights,
                _count(
                    timelines,
                    half_window=half_window_frames(seconds, framerate=framerate),
                    framerate=framerate,
                ),
            )
            for seconds in parse_tolerance(tolerance)
        ]
        values[number] = average_over_tolerances(np.stack(by_tolerance))
    return values


def draw_block_counts(
    blocks: Sequence[int], *, resamples: int, seed: int
) -> Float64[np.ndarray, "resamples blocks"]:
    """Number of times that each block of each match is in each resample.

    Args:
        blocks: number of blocks of every match; 0 if it has neither spots nor detections.
        resamples: number of resamples.
        seed: seed of the resampling.
    """
    generator = np.random.default_rng(seed)
    repeats = np.ones((resamples, len(blocks)), np.int64)
    if len(blocks) >= MIN_RESAMPLED_MATCHES:
        repeats = generator.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), resamples)
    counts = [
        generator.multinomial(repeats[:, match] * count, np.full(count, 1 / count))
        for match, count in enumerate(blocks)
        if count
    ]
    return np.concatenate([np.zeros((resamples, 0)), *counts], axis=1)


def num_blocks(halves: Sequence[ScoringTimeline], *, framerate: int) -> int:
    """Number of blocks of a match, up to the last spot or detection of each half."""
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
    """Number of blocks of each half of a match, up to the last spot or detection of any system."""
    return np.array(
        [max(_last_block(t, framerate=framerate) for t in halves) for halves in zip(*systems, strict=True)]
    )


def _last_block(timeline: ScoringTimeline, *, framerate: int) -> int:
    ends = [cells.frames[-1] + 1 for cells in (*timeline.spots, *timeline.detections) if len(cells.frames)]
    return -(-int(max(ends, default=0)) // (BLOCK_SECONDS * framerate))


def _count(
    games: Sequence[tuple[Sequence[ScoringTimeline], Int64[np.ndarray, "halves"]]],
    *,
    half_window: int,
    framerate: int,
) -> BlockCounts:
    """Counts of all blocks of all matches, in order."""
    total = sum(int(lengths.sum()) for _, lengths in games)
    num_classes = len(games[0][0][0].spots)
    levels = len(THRESHOLDS) + 1  # a detection passes between 0 and all of the thresholds
    detections, hits = np.zeros((2, total, num_classes, levels))
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
                cell = block * levels + passed
                detections[:, column] += _tally(cell, np.ones(len(cell)), shape=(total, levels))
                hits[:, column] += _tally(cell, is_hit.astype(np.float64), shape=(total, levels))
                block_of_spot = first + annotated.frames // (BLOCK_SECONDS * framerate)
                spots[:, column] += np.bincount(block_of_spot, minlength=total)
            first += length
    return BlockCounts(_at_or_above(detections), _at_or_above(hits), spots)


def _tally(
    cells: Int64[np.ndarray, "n"], values: Float64[np.ndarray, "n"], *, shape: tuple[int, int]
) -> Float64[np.ndarray, "rows columns"]:
    """Sum of the values in each cell of a table."""
    rows, columns = shape
    sums = np.bincount(cells, weights=values, minlength=rows * columns)
    return sums.reshape(rows, columns).astype(np.float64)  # bincount of nothing returns integers


def _at_or_above(
    passed: Float64[np.ndarray, "blocks classes levels"],
) -> Float64[np.ndarray, "blocks classes thresholds"]:
    """Turn counts by number of thresholds passed into counts that pass each threshold."""
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
    ap = np.zeros(spots.shape)
    for level in RECALLS:
        ap += np.where(recall >= level, precision, 0.0).max(axis=2)
    ap = np.where(spots > 0, ap / len(RECALLS), 0.0)
    # Mean over the classes present in the resample, scaled so that classes that never occur count as 0.
    present = np.maximum((spots > 0).sum(axis=1), 1)
    occurring = int((counts.spots.sum(axis=0) > 0).sum())
    means: Float64[np.ndarray, "resamples"] = ap.sum(axis=1) / present * (occurring / spots.shape[1])
    return means
