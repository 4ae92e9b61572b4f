"""Outcome of every spot and every detection: hit, confusion, miss or false positive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Int64

from bas.clock import frame_at
from bas.evaluate.metric.average_precision import official_frames
from bas.evaluate.metric.timelines import HALVES
from bas.evaluate.metric.tolerance import OFFICIAL_SECONDS, half_window_frames
from bas.evaluate.scoring.score import FRAMERATE
from bas.types import DenseScores, Prediction, Spot
from bas.vocabulary import split_team

Kind = Literal["hit", "confused", "miss", "false positive"]

SpotOrPrediction = TypeVar("SpotOrPrediction", Spot, Prediction)

_HALF_WINDOW_MS = 1000 * half_window_frames(OFFICIAL_SECONDS, framerate=FRAMERATE) // FRAMERATE


@dataclass(frozen=True, slots=True)
class Outcome:
    """A spot with the detection matched to it, an unmatched spot, or an unmatched detection."""

    game: str
    half: int
    spot: Spot | None
    detection: Prediction | None

    @property
    def kind(self) -> Kind:
        """Hit, confusion with another class, miss or false positive."""
        if self.spot is None:
            return "false positive"
        if self.detection is None:
            return "miss"
        return "hit" if self.spot.label == self.detection.label else "confused"

    @property
    def position_ms(self) -> int:
        """Position of the spot, or of the detection if there is no spot."""
        one = self.spot or self.detection
        assert one is not None
        return one.position_ms

    @property
    def offset_ms(self) -> int:
        """Offset of the detection from the spot, positive if late; 0 unless both exist."""
        if self.spot is None or self.detection is None:
            return 0
        return self.detection.position_ms - self.spot.position_ms


def match_outcomes(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    thresholds: Mapping[str, float],
    half_window: int,
    framerate: int,
) -> list[Outcome]:
    """Match spots to the detections above their class's threshold, one to one, within each half of a game.

    The first pass is that of the official evaluator, class by class: in time order, each spot takes
    the free detection of highest confidence in its window, the earliest on ties. In the second pass,
    again in time order, each spot left takes the nearest free detection of another class in its
    window, the earlier on ties; that is a confusion. Teams are ignored. A spot still left is a miss,
    a detection still left a false positive.

    Whatever the official evaluator ignores has no outcome: other classes and halves, and marks that
    a later one of the same class replaces on the same frame. So the hits equal those of the official score.

    Args:
        labels: annotations by game.
        predictions: predictions by the same games.
        thresholds: minimum confidence of a detection by class; the keys are the vocabulary.
        half_window: frames that a detection may lie from its spot, on either side.
        framerate: frames per second of the official clock.
    """
    outcomes: list[Outcome] = []
    for game, all_spots in labels.items():
        for half in HALVES:
            spots = _scored((s for s in all_spots if s.half == half and s.label in thresholds), framerate)
            predicted = (p for p in predictions[game] if p.half == half and p.label in thresholds)
            # Replace before applying thresholds, as the evaluator does: a weak detection replaces a strong one.
            detections = [p for p in _scored(predicted, framerate) if p.confidence >= thresholds[p.label]]
            partners = _partners(spots, detections, half_window=half_window, framerate=framerate)
            outcomes += [
                Outcome(game, half, spot, None if partner is None else detections[partner])
                for spot, partner in zip(spots, partners, strict=True)
            ]
            free = set(range(len(detections))) - {partner for partner in partners if partner is not None}
            outcomes += [Outcome(game, half, None, detections[index]) for index in sorted(free)]
    return outcomes


def _scored(marks: Iterable[SpotOrPrediction], framerate: int) -> list[SpotOrPrediction]:
    """The last mark of each class on each official frame, sorted by frame and class."""
    given = list(marks)
    frames = _frames(given, framerate=framerate).tolist()
    last = {(frame, mark.label): mark for frame, mark in zip(frames, given, strict=True)}
    return [last[key] for key in sorted(last)]


def _partners(
    spots: Sequence[Spot], detections: Sequence[Prediction], *, half_window: int, framerate: int
) -> list[int | None]:
    """Index of the detection matched to each spot, or None."""
    spot_frames = _frames(spots, framerate=framerate)
    frames = _frames(detections, framerate=framerate)
    names = np.array([detection.label for detection in detections], dtype=object)
    confidence = np.array([detection.confidence for detection in detections], dtype=np.float64)
    free = np.ones(len(detections), bool)
    # Detections are sorted by frame, so those in the window of a spot are the indices from its start to its stop.
    partners: list[int | None] = [None] * len(spots)
    starts = np.searchsorted(frames, spot_frames - half_window)
    stops = np.searchsorted(frames, spot_frames + half_window, side="right")
    # Two passes, not one: a confusion must not take a detection that is a hit of a later spot.
    for same_class in (True, False):
        for number, spot in enumerate(spots):
            if partners[number] is not None:
                continue
            near = np.arange(starts[number], stops[number])
            near = near[free[near] & ((names[near] == spot.label) == same_class)]
            if len(near):
                # argmax takes the first of equals, hence the earliest.
                preference = confidence[near] if same_class else -np.abs(frames[near] - spot_frames[number])
                partners[number] = int(near[np.argmax(preference)])
                free[partners[number]] = False
    return partners


def _frames(marks: Sequence[Spot] | Sequence[Prediction], *, framerate: int) -> Int64[np.ndarray, "n"]:
    return official_frames([mark.position_ms for mark in marks], framerate=framerate)


def false_positives(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Detections without a spot, the most confident first."""
    with_confidence = [
        (one.detection.confidence, one) for one in outcomes if one.detection and one.kind == "false positive"
    ]
    return [one for _, one in sorted(with_confidence, key=lambda pair: -pair[0])]


def misses(outcomes: Sequence[Outcome], scores: DenseScores) -> list[Outcome]:
    """Missed and confused spots, the lowest scored first.

    Args:
        outcomes: outcomes of any games.
        scores: dense scores by game and half; where there are none, the score counts as 0.
    """
    return sorted(
        (one for one in outcomes if one.kind in ("miss", "confused")), key=lambda one: peak_score(one, scores)
    )


def worst_mistakes(outcomes: Sequence[Outcome], scores: DenseScores, number: int) -> list[Outcome]:
    """The `number` worst mistakes, false positives and misses in turn while there are both."""
    pairs = zip_longest(false_positives(outcomes), misses(outcomes, scores))
    return [one for pair in pairs for one in pair if one is not None][:number]


def peak_score(outcome: Outcome, scores: DenseScores) -> float:
    """Highest score of the spot's class within the window around it; 0 without a spot or scores."""
    of_half = scores.get(outcome.game, {}).get(outcome.half)
    if of_half is None or outcome.spot is None:
        return 0.0
    columns = [k for k, name in enumerate(of_half.classes) if split_team(name)[0] == outcome.spot.label]
    first, last = (
        frame_at(max(0, outcome.spot.position_ms + offset), of_half.fps)
        for offset in (-_HALF_WINDOW_MS, _HALF_WINDOW_MS)
    )
    return float(of_half.values[first : last + 1, columns].max(initial=0.0))
