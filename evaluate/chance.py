"""What blind guessing scores: the same counts per class at uniform frames, many times over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bas.clock import positions_of
from bas.evaluate.precision import Cells, Entries, Timeline, average_precision, official_frames, timeline
from bas.evaluate.score import FRAMERATE
from bas.evaluate.timelines import half_timelines
from bas.evaluate.tolerance import Tolerance, parse_tolerance
from bas.types import Spot

_PERCENTILE = 95


@dataclass(frozen=True, slots=True)
class Chance:
    """The 95th percentile over all runs."""

    mean_ap: float
    mean_ap_occurring: float
    """Of the mean over the classes that occur."""
    runs: int


def chance(
    labels: Mapping[str, Sequence[Spot]],
    *,
    counts: Mapping[str, int],
    num_frames: Mapping[str, Mapping[int, int]],
    fps: Fraction,
    tolerance: Tolerance = 1,
    runs: int = 20,
) -> Chance:
    """Score `runs` sets of guesses: frames and confidences are uniform, all else is as given.

    Args:
        labels: annotations by game.
        counts: guesses of each class over all games together; its keys are the vocabulary.
        num_frames: length of every half, by the same games.
        fps: frames a second.
        tolerance: as `bas.evaluate.tolerance.parse_tolerance` takes it.
        runs: sets of guesses, seeded 0, 1, 2 ...
    """
    classes, seconds = tuple(counts), parse_tolerance(tolerance)
    halves = [
        (spots_of(labels[game], half, classes), frames)
        for game, of_game in num_frames.items()
        for half, frames in of_game.items()
    ]
    occurring = np.array([any(len(spots[k].frames) for spots, _ in halves) for k in range(len(classes))])
    means, means_occurring = [], []
    for seed in range(runs):
        guessed = guesses(list(counts.values()), [frames for _, frames in halves], fps=fps, seed=seed)
        scored = average_precision(
            [Timeline(spots, cells) for (spots, _), cells in zip(halves, guessed, strict=True)],
            num_classes=len(classes),
            framerate=FRAMERATE,
            tolerances=seconds,
        ).every
        means.append(scored.mean)
        means_occurring.append(float(np.mean(scored.per_class[occurring])) if occurring.any() else math.nan)
    return Chance(
        mean_ap=float(np.percentile(means, _PERCENTILE)),
        mean_ap_occurring=float(np.percentile(means_occurring, _PERCENTILE)),
        runs=runs,
    )


def spots_of(spots: Sequence[Spot], half: int, classes: Sequence[str]) -> tuple[Cells, ...]:
    """The annotations of one half, by class, on the official clock."""
    return half_timelines(spots, (), classes=classes, framerate=FRAMERATE).timelines[half - 1].spots


def guesses(
    counts: Sequence[int], num_frames: Sequence[int], *, fps: Fraction, seed: int
) -> list[tuple[Cells, ...]]:
    """Of every half, guesses by class, uniform over the frames of all halves."""
    random = np.random.default_rng(seed)
    ends = np.cumsum(num_frames)
    columns = np.repeat(np.arange(len(counts)), counts)
    places = random.integers(ends[-1], size=len(columns))
    confidences = random.random(len(columns))
    of_half = np.searchsorted(ends, places, side="right")
    frames = places - np.concatenate([[0], ends])[of_half]
    official = official_frames(positions_of(frames, fps).astype(np.float64), framerate=FRAMERATE)
    nothing = Entries(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return [
        timeline(
            nothing,
            Entries(official[of_half == half], columns[of_half == half], confidences[of_half == half]),
            num_classes=len(counts),
        ).detections
        for half in range(len(num_frames))
    ]
