"""The worst mistakes of a model: its most confident false positives, and the spots it scored lowest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from bas.clock import frame_at
from bas.evaluate.analysis.outcomes import Outcome
from bas.evaluate.postprocess.events import split_team
from bas.types import Scores

_HALF_WINDOW_MS = 480  # 12 frames at 25 fps, the half window of the official mAP@1


def false_positives(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Detections without a spot, the most confident first."""
    with_confidence = [
        (one.detection.confidence, one) for one in outcomes if one.detection and one.kind == "false positive"
    ]
    return [one for _, one in sorted(with_confidence, key=lambda pair: -pair[0])]


def misses(outcomes: Sequence[Outcome], scores: Mapping[str, Mapping[int, Scores]]) -> list[Outcome]:
    """Missed and confused spots, the lowest scored first.

    Args:
        outcomes: outcomes of any games.
        scores: dense scores by game and half; where there are none, the score counts as 0.
    """
    return sorted(
        (one for one in outcomes if one.kind in ("miss", "confused")), key=lambda one: peak_score(one, scores)
    )


def worst_mistakes(
    outcomes: Sequence[Outcome], scores: Mapping[str, Mapping[int, Scores]], number: int
) -> list[Outcome]:
    """The `number` worst mistakes, false positives and misses in turn while there are both."""
    pairs = zip_longest(false_positives(outcomes), misses(outcomes, scores))
    return [one for pair in pairs for one in pair if one is not None][:number]


def peak_score(outcome: Outcome, scores: Mapping[str, Mapping[int, Scores]]) -> float:
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
