"""The worst mistakes of a model: what it claimed most surely where nothing is, and what it saw least of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from bas.clock import frame_at
from bas.evaluate.outcomes import Outcome
from bas.evaluate.peaks import split_team
from bas.types import Scores

_REACH_MS = 480  # to either side of an action, as far as the official mAP@1 looks


def false_alarms(found: Sequence[Outcome]) -> list[Outcome]:
    """Claims without an action, the surest first."""
    alarms = [(one.claim.confidence, one) for one in found if one.claim and one.kind == "false alarm"]
    return [one for _, one in sorted(alarms, key=lambda pair: -pair[0])]


def misses(found: Sequence[Outcome], scores: Mapping[str, Mapping[int, Scores]]) -> list[Outcome]:
    """Actions that were missed or taken for another, those that the model saw least of first.

    Args:
        found: of any games.
        scores: dense scores by game and half; where they lack, nothing was seen.
    """
    return sorted(
        (one for one in found if one.kind in ("missed", "confused")), key=lambda one: seen(one, scores)
    )


def worst(found: Sequence[Outcome], scores: Mapping[str, Mapping[int, Scores]], number: int) -> list[Outcome]:
    """The worst mistakes, as many misses as false alarms where there are enough of both."""
    pairs = zip_longest(false_alarms(found), misses(found, scores))
    return [one for pair in pairs for one in pair if one is not None][:number]


def seen(one: Outcome, scores: Mapping[str, Mapping[int, Scores]]) -> float:
    """The highest score of an action's class around it."""
    of_half = scores.get(one.game, {}).get(one.half)
    if of_half is None or one.spot is None:
        return 0.0
    columns = [k for k, name in enumerate(of_half.classes) if split_team(name)[0] == one.spot.label]
    first, last = (
        frame_at(max(0, one.spot.position_ms + reach), of_half.fps) for reach in (-_REACH_MS, _REACH_MS)
    )
    return float(of_half.values[first : last + 1, columns].max(initial=0.0))
