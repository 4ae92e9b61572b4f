"""Chance baseline: mAP of uniformly random detections with the same number per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from bas import console
from bas.clock import positions_of
from bas.evaluate.metric.average_precision import (
    MarkArrays,
    ScoringTimeline,
    average_precision,
    build_timeline,
    official_frames,
)
from bas.evaluate.metric.timelines import HALVES, half_timelines
from bas.evaluate.metric.tolerance import Tolerance, parse_tolerance
from bas.evaluate.scoring.score import FRAMERATE, Evaluation
from bas.types import DenseScores, Spot

TRIALS = 20
"""Number of sets of random detections."""
_PERCENTILE = 95


def chance_of(evaluation: Evaluation, labels: Mapping[str, Sequence[Spot]], scores: DenseScores) -> float:
    """Chance baseline of an evaluation, with the lengths of the games taken from their dense scores."""
    return chance_baseline(
        labels,
        counts={one.label: one.num_detections for one in evaluation.classes},
        num_frames={game: {half: len(one.values) for half, one in of.items()} for game, of in scores.items()},
        fps=next(one.fps for of_game in scores.values() for one in of_game.values()),
        tolerance=evaluation.tolerances,
        framerate=evaluation.framerate,
    )


def chance_baseline(
    labels: Mapping[str, Sequence[Spot]],
    *,
    counts: Mapping[str, int],
    num_frames: Mapping[str, Mapping[int, int]],
    fps: Fraction,
    tolerance: Tolerance = 1,
    framerate: int = FRAMERATE,
    trials: int = TRIALS,
) -> float:
    """95th percentile of the mAP of `trials` sets of random detections, with uniform frames and confidences.

    They score what their files would score, but no files are written: 15,000 detections in each of
    20 trials would take longer than the rest of an evaluation.

    Args:
        labels: annotations by game.
        counts: number of detections per class over all games; the keys are the vocabulary.
        num_frames: number of frames of every half, by the same games.
        fps: frames per second of `num_frames`.
        tolerance: as `bas.evaluate.metric.tolerance.parse_tolerance` takes it.
        framerate: frames per second of the official clock.
        trials: number of sets, seeded 0, 1, 2, ...
    """
    classes, tolerances = tuple(counts), parse_tolerance(tolerance)
    annotated = {
        game: half_timelines(spots, (), classes=classes, framerate=framerate).timelines
        for game, spots in labels.items()
    }
    means = []
    with console.progress("Chance baseline", trials, unit="trials") as advance:
        for seed in range(trials):
            detections = random_detections(counts, num_frames, seed=seed)
            timelines = [
                _with_detections(timeline, detections[game].get(half), fps=fps, framerate=framerate)
                for game, halves in annotated.items()
                for half, timeline in zip(HALVES, halves, strict=True)
            ]
            scored = average_precision(
                timelines, num_classes=len(classes), framerate=framerate, tolerances=tolerances
            )
            means.append(scored.overall.mean)
            advance()
    return float(np.percentile(means, _PERCENTILE))


def random_detections(
    counts: Mapping[str, int], num_frames: Mapping[str, Mapping[int, int]], *, seed: int
) -> dict[str, dict[int, MarkArrays]]:
    """Detections by game and half, uniform over all frames together.

    Detections of a half are sorted by frame, then by confidence. So of several of a class on one
    frame, the most confident counts, as in a results file.
    """
    random = np.random.default_rng(seed)
    halves = [
        (game, half, frames) for game, of_game in num_frames.items() for half, frames in of_game.items()
    ]
    # Places count through all halves laid end to end; a half covers those below its end.
    ends = np.cumsum([frames for _, _, frames in halves])
    samples = [(random.integers(ends[-1], size=count), random.random(count)) for count in counts.values()]
    places = np.concatenate([np.zeros(0, np.int64), *(places for places, _ in samples)])
    values = np.concatenate([np.zeros(0), *(values for _, values in samples)])
    columns = np.repeat(np.arange(len(counts)), list(counts.values()))
    order = np.lexsort((values, places))
    places, columns, values = places[order], columns[order], values[order]
    detections: dict[str, dict[int, MarkArrays]] = {game: {} for game in num_frames}
    for (game, half, frames), end in zip(halves, ends.tolist(), strict=True):
        inside = slice(*np.searchsorted(places, (end - frames, end)))
        detections[game][half] = MarkArrays(places[inside] - (end - frames), columns[inside], values[inside])
    return detections


def _with_detections(
    annotated: ScoringTimeline, detections: MarkArrays | None, *, fps: Fraction, framerate: int
) -> ScoringTimeline:
    """Timeline with the spots of a half and the given detections; None if there are none."""
    if detections is None:
        return annotated
    frames = official_frames(positions_of(detections.frames, fps), framerate=framerate)
    entries = MarkArrays(frames, detections.columns, detections.values)
    nothing = MarkArrays(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return ScoringTimeline(
        annotated.spots, build_timeline(nothing, entries, num_classes=len(annotated.spots)).detections
    )
