"""What blind guessing scores: the same counts per class at uniform frames, many times over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bas.clock import positions_of
from bas.evaluate.precision import Entries, Timeline, average_precision, official_frames, timeline
from bas.evaluate.score import FRAMERATE
from bas.evaluate.timelines import HALVES, half_timelines
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

    The guesses score what their files would score, but none are written: 15,000 guesses 20 times
    over would take longer than all else that an evaluation tells.

    Args:
        labels: annotations by game.
        counts: guesses of each class over all games together; its keys are the vocabulary.
        num_frames: length of every half, by the same games.
        fps: frames a second.
        tolerance: as `bas.evaluate.tolerance.parse_tolerance` takes it.
        runs: sets of guesses, seeded 0, 1, 2 ...
    """
    classes, tolerances = tuple(counts), parse_tolerance(tolerance)
    annotated = {
        game: half_timelines(spots, (), classes=classes, framerate=FRAMERATE).timelines
        for game, spots in labels.items()
    }
    occurring = [
        k
        for k in range(len(classes))
        if any(len(half.spots[k].frames) for halves in annotated.values() for half in halves)
    ]
    means, means_occurring = [], []
    for seed in range(runs):
        guessed = guesses(counts, num_frames, seed=seed)
        timelines = [
            _claimed(one, guessed[game].get(half), fps=fps)
            for game, halves in annotated.items()
            for half, one in zip(HALVES, halves, strict=True)
        ]
        every = average_precision(
            timelines, num_classes=len(classes), framerate=FRAMERATE, tolerances=tolerances
        ).every
        means.append(every.mean)
        means_occurring.append(np.mean(every.per_class[occurring]) if occurring else np.nan)
    return Chance(
        mean_ap=float(np.percentile(means, _PERCENTILE)),
        mean_ap_occurring=float(np.percentile(means_occurring, _PERCENTILE)),
        runs=runs,
    )


def guesses(
    counts: Mapping[str, int], num_frames: Mapping[str, Mapping[int, int]], *, seed: int
) -> dict[str, dict[int, Entries]]:
    """Claims by game and half, uniform over the frames of all of them; of equal cells the surest comes last."""
    random = np.random.default_rng(seed)
    halves = [
        (game, half, frames) for game, of_game in num_frames.items() for half, frames in of_game.items()
    ]
    ends = np.cumsum([frames for _, _, frames in halves])
    drawn = [(random.integers(ends[-1], size=count), random.random(count)) for count in counts.values()]
    places = np.concatenate([np.zeros(0, np.int64), *(places for places, _ in drawn)])
    values = np.concatenate([np.zeros(0), *(values for _, values in drawn)])
    columns = np.repeat(np.arange(len(counts)), list(counts.values()))
    order = np.lexsort((values, places))
    places, columns, values = places[order], columns[order], values[order]
    borders = np.searchsorted(places, ends)
    found: dict[str, dict[int, Entries]] = {game: {} for game in num_frames}
    start = 0
    for (game, half, frames), end, stop in zip(halves, ends.tolist(), borders.tolist(), strict=True):
        inside = slice(start, stop)
        found[game][half] = Entries(places[inside] - (end - frames), columns[inside], values[inside])
        start = stop
    return found


def _claimed(annotated: Timeline, guessed: Entries | None, *, fps: Fraction) -> Timeline:
    """The spots of a half with guesses beside them; None guesses nothing."""
    if guessed is None:
        return annotated
    positions = positions_of(guessed.frames, fps).astype(np.float64)
    entries = Entries(official_frames(positions, framerate=FRAMERATE), guessed.columns, guessed.values)
    nothing = Entries(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return Timeline(annotated.spots, timeline(nothing, entries, num_classes=len(annotated.spots)).detections)
