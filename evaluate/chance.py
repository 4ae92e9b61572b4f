"""What blind guessing scores: the same counts per class at uniform frames, many times over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bas.evaluate.score import Evaluation, score_detections
from bas.evaluate.tolerance import Tolerance
from bas.types import Detection, Spot

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
    evaluations: list[Evaluation] = []
    for seed in range(runs):
        guessed = guesses(counts, num_frames, seed=seed)
        evaluations.append(
            score_detections(labels, guessed, classes=tuple(counts), fps=fps, tolerance=tolerance)
        )
    return Chance(
        mean_ap=float(np.percentile([e.mean_ap for e in evaluations], _PERCENTILE)),
        mean_ap_occurring=float(np.percentile([e.mean_ap_occurring for e in evaluations], _PERCENTILE)),
        runs=runs,
    )


def guesses(
    counts: Mapping[str, int], num_frames: Mapping[str, Mapping[int, int]], *, seed: int
) -> dict[str, dict[int, list[Detection]]]:
    """Detections by game and half, uniform over the frames of all of them."""
    random = np.random.default_rng(seed)
    halves = [
        (game, half, frames) for game, of_game in num_frames.items() for half, frames in of_game.items()
    ]
    ends = np.cumsum([frames for _, _, frames in halves])
    found: dict[str, dict[int, list[Detection]]] = {
        game: {half: [] for half in of_game} for game, of_game in num_frames.items()
    }
    for label, count in counts.items():
        for position, confidence in zip(
            random.integers(ends[-1], size=count), random.random(count), strict=True
        ):
            index = int(np.searchsorted(ends, position, side="right"))
            game, half, frames = halves[index]
            frame = int(position - (ends[index] - frames))
            found[game][half].append(Detection(frame, label, float(confidence)))
    return found
