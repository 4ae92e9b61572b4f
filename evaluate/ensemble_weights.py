"""Ensemble weights by greedy selection with replacement.

Caruana et al., Ensemble Selection from Libraries of Models, ICML 2004.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bas import console
from bas.config import PostprocessSettings
from bas.evaluate.averaging import mean_dense_scores
from bas.evaluate.postprocess.objective import AP_EPSILON, action_ap, action_scores
from bas.evaluate.scoring.score import official_framerate
from bas.types import DenseScores, Spot

_PICKS = 10


def select_weights(
    members: Sequence[DenseScores],
    labels: Mapping[str, Sequence[Spot]],
    actions: Sequence[str],
    postprocess: PostprocessSettings,
) -> list[float]:
    """Weights with the best exact mAP@1 along ten greedy picks, one member each.

    Uniform weights are kept unless another choice is better.

    Args:
        members: dense scores of games on which no member was trained.
        labels: annotations of the games to score.
        actions: the vocabulary, without teams.
        postprocess: post-processing of the mean scores.

    Returns:
        One weight per member, with sum 1.
    """
    best = [1 / len(members)] * len(members)
    best_score = exact_mean_ap(mean_dense_scores(members, best), labels, actions, postprocess)
    picks = np.zeros(len(members))
    with console.progress("weights", _PICKS, unit="picks") as advance:
        for _ in range(_PICKS):
            tried = [picks + pick for pick in np.eye(len(members))]
            weights = [(counts / counts.sum()).tolist() for counts in tried]
            scores = [
                exact_mean_ap(mean_dense_scores(members, one), labels, actions, postprocess)
                for one in weights
            ]
            chosen = int(np.argmax(scores))
            # Greedy: continue from the best pick even if the score drops, since later picks may make up for it.
            picks = tried[chosen]
            if scores[chosen] > best_score + AP_EPSILON:
                best_score, best = scores[chosen], weights[chosen]
            advance()
    return best


def exact_mean_ap(
    dense: DenseScores,
    labels: Mapping[str, Sequence[Spot]],
    actions: Sequence[str],
    postprocess: PostprocessSettings,
) -> float:
    """mAP@1 with every distinct confidence as a threshold."""
    framerate = official_framerate(actions)
    scores = {action: action_scores(labels, dense, action, framerate=framerate) for action in actions}
    return float(np.mean([action_ap(scores[a], postprocess.for_action(a)).exact for a in actions]))
