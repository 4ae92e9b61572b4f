"""How far chance moves a score: mAP over resampled minutes, the same for all systems that are compared.

Blocks of one minute are drawn with replacement within every match, and with five matches or more the
matches too; a block is long against an action and short against a match (Künsch, The Jackknife and
the Bootstrap for General Stationary Observations, 1989). Actions and detections are matched once, on
the whole matches; a resample weighs what each minute contributes to the counts at every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from einops import einsum
from jaxtyping import Float64, Int64

from bas.evaluate.precision import RECALLS, THRESHOLDS, Timeline, over_tolerances, taken
from bas.evaluate.score import FRAMERATE
from bas.evaluate.soccernet import Prediction
from bas.evaluate.timelines import half_timelines
from bas.evaluate.tolerance import Tolerance, parse_tolerance, reach_frames
from bas.types import Spot

BLOCK_SECONDS = 60
ENOUGH_MATCHES = 5
"""From which on matches are drawn too."""
FEWEST_BLOCKS = 3
"""Of a match; resampling fewer hardly moves a score, and its interval says nothing."""
_CONFIDENCE = 95


@dataclass(frozen=True, slots=True)
class Interval:
    """Where 95 % of the resamples lie."""

    low: float
    high: float


def interval(values: Float64[np.ndarray, "resamples"]) -> Interval:
    """The percentile interval of resampled values, or of their differences."""
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
    """mAP of every system on each resample; all systems meet the same ones, so that they can be subtracted.

    A class that never occurs counts 0, as in the official score; one that occurs, but in no minute
    of a resample, has no AP there, and the others' mean stands in for it.

    Args:
        labels: annotations by game.
        systems: predictions by the same games.
        classes: the vocabulary.
        tolerance: as `bas.evaluate.tolerance.parse_tolerance` takes it.
        framerate: rows a second of the official clock.
        resamples: how many.
        seed: of the draw.
    """
    games = [
        [
            half_timelines(spots, system[game], classes=classes, framerate=framerate).timelines
            for system in systems
        ]
        for game, spots in labels.items()
    ]
    lengths = [_num_blocks(halves, framerate=framerate) for halves in games]
    weights = draw_weights([int(of_halves.sum()) for of_halves in lengths], resamples=resamples, seed=seed)
    values = np.empty((len(systems), resamples))
    for number in range(len(systems)):
        timelines = [(halves[number], of_halves) for halves, of_halves in zip(games, lengths, strict=True)]
        over = [
            _mean_ap(
                weights,
                _count(timelines, reach=reach_frames(seconds, framerate=framerate), framerate=framerate),
            )
            for seconds in parse_tolerance(tolerance)
        ]
        values[number] = over_tolerances(np.stack(over))
    return values


def draw_weights(
    blocks: Sequence[int], *, resamples: int, seed: int
) -> Float64[np.ndarray, "resamples blocks"]:
    """How often each block of each match is in each resample.

    Args:
        blocks: number of blocks of every match; one where nothing is annotated or claimed has none.
        resamples: how many.
        seed: of the draw.
    """
    generator = np.random.default_rng(seed)
    times = np.ones((resamples, len(blocks)), np.int64)
    if len(blocks) >= ENOUGH_MATCHES:
        times = generator.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), resamples)
    drawn = [
        generator.multinomial(times[:, match] * count, np.full(count, 1 / count))
        for match, count in enumerate(blocks)
        if count
    ]
    return np.concatenate([np.zeros((resamples, 0)), *drawn], axis=1)


def num_blocks(halves: Sequence[Timeline], *, framerate: int) -> int:
    """Blocks of a match, as far as its annotations or detections reach in each half."""
    return sum(_last_block(half, framerate=framerate) for half in halves)


@dataclass(frozen=True, slots=True)
class Counts:
    """What every block adds: detections from each threshold on, those of them that a spot takes, and spots."""

    claimed: Float64[np.ndarray, "blocks classes thresholds"]
    right: Float64[np.ndarray, "blocks classes thresholds"]
    spots: Float64[np.ndarray, "blocks classes"]


def _num_blocks(systems: Sequence[Sequence[Timeline]], *, framerate: int) -> Int64[np.ndarray, "halves"]:
    """Blocks of each half of a match, as far as annotations or any system's detections reach."""
    return np.array(
        [max(_last_block(t, framerate=framerate) for t in halves) for halves in zip(*systems, strict=True)]
    )


def _last_block(timeline: Timeline, *, framerate: int) -> int:
    ends = [cells.frames[-1] + 1 for cells in (*timeline.spots, *timeline.detections) if len(cells.frames)]
    return -(-int(max(ends, default=0)) // (BLOCK_SECONDS * framerate))


def _count(
    games: Sequence[tuple[Sequence[Timeline], Int64[np.ndarray, "halves"]]], *, reach: int, framerate: int
) -> Counts:
    """Counts of all blocks of all matches, one after the other."""
    total = sum(int(lengths.sum()) for _, lengths in games)
    num_classes = len(games[0][0][0].spots)
    levels = len(THRESHOLDS) + 1
    claimed, right = np.zeros((2, total, num_classes, levels))
    spots = np.zeros((total, num_classes))
    first = 0
    for timelines, lengths in games:
        for timeline, length in zip(timelines, lengths.tolist(), strict=True):
            for column, (annotated, found) in enumerate(
                zip(timeline.spots, timeline.detections, strict=True)
            ):
                block = first + found.frames // (BLOCK_SECONDS * framerate)
                passed = np.searchsorted(THRESHOLDS, found.values, "right")
                hits = taken(annotated, found, reach=reach)
                cell = block * levels + passed
                claimed[:, column] += _tally(cell, np.ones(len(cell)), shape=(total, levels))
                right[:, column] += _tally(cell, hits.astype(np.float64), shape=(total, levels))
                of_spot = first + annotated.frames // (BLOCK_SECONDS * framerate)
                spots[:, column] += np.bincount(of_spot, minlength=total)
            first += length
    return Counts(_from_threshold_on(claimed), _from_threshold_on(right), spots)


def _tally(
    cells: Int64[np.ndarray, "n"], values: Float64[np.ndarray, "n"], *, shape: tuple[int, int]
) -> Float64[np.ndarray, "rows columns"]:
    """Sum of the values in each cell of a table."""
    rows, columns = shape
    sums = np.bincount(cells, weights=values, minlength=rows * columns)
    return sums.reshape(rows, columns).astype(np.float64)  # of no cells, numpy gives integers


def _from_threshold_on(
    passed: Float64[np.ndarray, "blocks classes levels"],
) -> Float64[np.ndarray, "blocks classes thresholds"]:
    """From how many pass just so many thresholds to how many pass each."""
    return passed[..., ::-1].cumsum(axis=2)[..., -2::-1]


def _mean_ap(
    weights: Float64[np.ndarray, "resamples blocks"], counts: Counts
) -> Float64[np.ndarray, "resamples"]:
    claimed, right = (einsum(weights, part, "r b, b c t -> r c t") for part in (counts.claimed, counts.right))
    spots = einsum(weights, counts.spots, "r b, b c -> r c")
    precision = right / np.maximum(claimed, 1)
    recall = right / np.maximum(spots, 1)[..., None]
    ap = np.zeros(spots.shape)
    for level in RECALLS:
        ap += np.where(recall >= level, precision, 0.0).max(axis=2)
    ap = np.where(spots > 0, ap / len(RECALLS), 0.0)
    present = np.maximum((spots > 0).sum(axis=1), 1)
    occurring = int((counts.spots.sum(axis=0) > 0).sum())
    means: Float64[np.ndarray, "resamples"] = ap.sum(axis=1) / present * (occurring / spots.shape[1])
    return means
