"""Class lists of the SoccerNet editions, in their official order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bas.errors import DataError
from bas.types import Prediction, Spot

BALL_CLASSES = (
    "PASS",
    "DRIVE",
    "HEADER",
    "HIGH PASS",
    "OUT",
    "CROSS",
    "THROW IN",
    "SHOT",
    "BALL PLAYER BLOCK",
    "PLAYER SUCCESSFUL TACKLE",
    "FREE KICK",
    "GOAL",
)

"""Classes of ball action spotting 2024 and 2025, in the order of SoccerNet's sn-teamspotting."""

BALL_CLASSES_2023 = BALL_CLASSES[:2]

"""Classes of ball action spotting 2023."""

SOCCERNET_V2_CLASSES = (
    "Penalty",
    "Kick-off",
    "Goal",
    "Substitution",
    "Offside",
    "Shots on target",
    "Shots off target",
    "Clearance",
    "Ball out of play",
    "Throw-in",
    "Foul",
    "Indirect free-kick",
    "Direct free-kick",
    "Corner",
    "Yellow card",
    "Red card",
    "Yellow->red card",
)

"""Classes of SoccerNet-v2 action spotting."""


def recognize_classes(
    labels: Mapping[str, Sequence[Spot]], predictions: Mapping[str, Sequence[Prediction]]
) -> tuple[str, ...]:
    """The class list that the annotations use; if there are none, the one that the predictions use.

    The two classes of 2023 are a subset of the twelve, so they are chosen only if nothing indicates twelve:
    scoring two classes by mistake is the best-known way to a wrong score.

    Args:
        labels: annotations by game.
        predictions: predictions by game.

    Raises:
        DataError: no known class list contains any of the labels.
    """
    annotated = {spot.label for spots in labels.values() for spot in spots}
    predicted = {prediction.label for each in predictions.values() for prediction in each}
    in_halves = any(spot.half == 2 for spots in labels.values() for spot in spots)
    if annotated and annotated <= set(BALL_CLASSES_2023):
        only_in_twelve = (predicted & set(BALL_CLASSES)) - set(BALL_CLASSES_2023)
        # Labels split into halves are those of the 2023 games, whatever else the model predicts.
        return BALL_CLASSES_2023 if in_halves or not only_in_twelve else BALL_CLASSES
    for vocabulary in (BALL_CLASSES, SOCCERNET_V2_CLASSES):
        if annotated & set(vocabulary) or (not annotated and predicted & set(vocabulary)):
            return vocabulary
    raise DataError(
        f"Unknown class list: the labels are {', '.join(sorted(annotated)[:5]) or '(none)'}. Expected ball actions "
        f"({', '.join(BALL_CLASSES[:3])}, ...) or SoccerNet-v2 ({', '.join(SOCCERNET_V2_CLASSES[:3])}, ...). "
        "List your own in class.txt beside the labels, one per line."
    )
