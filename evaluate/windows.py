"""What clip classifiers report: which class a model gives to the window around each annotated action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bas.clock import frame_at
from bas.evaluate.peaks import actions_of, split_team
from bas.types import Scores, Spot


@dataclass(frozen=True, slots=True)
class WindowNumbers:
    """Of windows that are known to hold an action: how often the class with the highest score is right."""

    count: int
    accuracy: float
    """Micro: over all windows; micro precision, recall and F1 equal it, one class being claimed a window."""
    macro_accuracy: float
    """The mean recall of the classes that occur."""
    macro_precision: float
    macro_f1: float


def window_numbers(
    labels: Mapping[str, Sequence[Spot]],
    scores: Mapping[str, Mapping[int, Scores]],
    *,
    seconds: float = 1.0,
) -> WindowNumbers | None:
    """Classify the window around every action by its highest score; None without any action.

    Args:
        labels: annotations by game.
        scores: dense scores by game and half; of two teams the higher counts.
        seconds: length of the window.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    truth: list[str] = []
    claimed: list[str] = []
    for game, spots in labels.items():
        for spot in spots:
            of_half = scores[game].get(spot.half)
            known = of_half is not None and spot.label in actions_of(of_half.classes)
            if of_half is None or not known or spot.position_ms < 0:
                continue
            frame = min(frame_at(spot.position_ms, of_half.fps), len(of_half.values) - 1)
            reach = int(seconds * of_half.fps / 2)
            best = of_half.values[max(0, frame - reach) : frame + reach + 1].max(axis=0)
            truth.append(spot.label)
            claimed.append(split_team(of_half.classes[int(np.argmax(best))])[0])
    if not truth:
        return None
    occurring = sorted(set(truth))
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, claimed, labels=occurring, average="macro", zero_division=0
    )
    return WindowNumbers(
        len(truth), float(accuracy_score(truth, claimed)), float(recall), float(precision), float(f1)
    )
