"""How much each of several models counts in the mean of their scores.

Greedy selection with replacement: Caruana et al., Ensemble Selection from Libraries of Models, ICML 2004.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bas import console
from bas.config import PeaksSettings
from bas.evaluate.merge import mean_scores
from bas.evaluate.trial import score_action, watch
from bas.types import Scores, Spot

Dense = Mapping[str, Mapping[int, Scores]]
"""Scores by game and half."""

_PICKS = 10
_EQUAL = 1e-9  # of AP: rounding


def weigh(
    members: Sequence[Dense],
    labels: Mapping[str, Sequence[Spot]],
    actions: Sequence[str],
    peaks: PeaksSettings,
) -> list[float]:
    """Shares with the best exact mAP@1 of a few picks, one member at a time; all alike unless that beats it.

    Args:
        members: scores of games that no member learned from.
        labels: annotations of the games to score.
        actions: the vocabulary, without teams.
        peaks: how events come out of the mean.
    """
    best = [1 / len(members)] * len(members)
    best_score = exact_mean_ap(mean_dense(members, best), labels, actions, peaks)
    picks = np.zeros(len(members))
    with console.progress("weights", _PICKS, unit="picks") as advance:
        for _ in range(_PICKS):
            tried = [picks + pick for pick in np.eye(len(members))]
            shares = [(one / one.sum()).tolist() for one in tried]
            scores = [exact_mean_ap(mean_dense(members, one), labels, actions, peaks) for one in shares]
            chosen = int(np.argmax(scores))
            picks = tried[chosen]
            if scores[chosen] > best_score + _EQUAL:
                best_score, best = scores[chosen], shares[chosen]
            advance()
    return best


def mean_dense(members: Sequence[Dense], weights: Sequence[float]) -> dict[str, dict[int, Scores]]:
    """The weighted mean of every game that all members scored."""
    games = [game for game in members[0] if all(game in member for member in members)]
    return {
        game: {
            half: mean_scores([member[game][half] for member in members], weights)
            for half in members[0][game]
        }
        for game in games
    }


def exact_mean_ap(
    dense: Dense, labels: Mapping[str, Sequence[Spot]], actions: Sequence[str], peaks: PeaksSettings
) -> float:
    """mAP@1 with every confidence as a threshold."""
    return float(np.mean([score_action(watch(labels, dense, a), peaks.of(a)).exact for a in actions]))
