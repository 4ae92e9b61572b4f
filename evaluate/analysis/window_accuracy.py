"""Window accuracy, the metric of clip classifiers: which class scores highest around each annotated action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bas.clock import frame_at
from bas.evaluate.metric.tolerance import OFFICIAL_SECONDS
from bas.types import DenseScores, Spot
from bas.vocabulary import actions_of, split_team


@dataclass(frozen=True, slots=True)
class WindowAccuracy:
    """How often the highest-scoring class is right, over windows known to contain an action."""

    count: int
    accuracy: float
    """Micro accuracy over all windows; micro precision, recall and F1 equal it, with one class per window."""
    macro_accuracy: float
    """Mean recall over the classes that occur."""
    macro_precision: float
    macro_f1: float


def window_accuracy(labels: Mapping[str, Sequence[Spot]], scores: DenseScores) -> WindowAccuracy | None:
    """Classify the window of one second around every spot by its highest score; None without spots.

    Args:
        labels: annotations by game.
        scores: dense scores by game and half; of an action's two teams, the higher score counts.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    actual: list[str] = []
    predicted: list[str] = []
    for game, spots in labels.items():
        for spot in spots:
            of_half = scores[game].get(spot.half)
            known = of_half is not None and spot.label in actions_of(of_half.classes)
            if of_half is None or not known or spot.position_ms < 0:
                continue
            frame = min(frame_at(spot.position_ms, of_half.fps), len(of_half.values) - 1)
            half_window = int(OFFICIAL_SECONDS * of_half.fps / 2)
            highest = of_half.values[max(0, frame - half_window) : frame + half_window + 1].max(axis=0)
            actual.append(spot.label)
            predicted.append(split_team(of_half.classes[int(np.argmax(highest))])[0])
    if not actual:
        return None
    occurring = sorted(set(actual))
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, predicted, labels=occurring, average="macro", zero_division=0
    )
    return WindowAccuracy(
        len(actual), float(accuracy_score(actual, predicted)), float(recall), float(precision), float(f1)
    )
