"""Which classes some labels are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.errors import DataError
from bas.evaluate.soccernet import Prediction
from bas.types import Spot


def recognize_classes(
    labels: Mapping[str, Sequence[Spot]], predictions: Mapping[str, Sequence[Prediction]]
) -> tuple[str, ...]:
    """The vocabulary that the annotations are written in.

    The two classes of 2023 are taken only where nothing speaks for twelve: two classes by mistake
    are the best known way to a wrong score.

    Raises:
        DataError: no vocabulary holds a label that occurs.
    """
    annotated = {spot.label for spots in labels.values() for spot in spots}
    claimed = {prediction.label for each in predictions.values() for prediction in each}
    in_halves = any(spot.half == 2 for spots in labels.values() for spot in spots)
    if annotated and annotated <= set(BALL_CLASSES_2023):
        twelve = (claimed & set(BALL_CLASSES)) - set(BALL_CLASSES_2023)
        return BALL_CLASSES_2023 if in_halves or not twelve else BALL_CLASSES
    for vocabulary in (BALL_CLASSES, SOCCERNET_V2_CLASSES):
        if annotated & set(vocabulary) or (not annotated and claimed & set(vocabulary)):
            return vocabulary
    raise DataError(
        f"The labels {', '.join(sorted(annotated)[:5]) or '(there are none)'} belong to no known vocabulary. "
        f"Wanted: those of ball actions ({', '.join(BALL_CLASSES[:3])}, ...) or of SoccerNet-v2 "
        f"({', '.join(SOCCERNET_V2_CLASSES[:3])}, ...). From Python, pass `classes`."
    )
