"""Notes on what the official scorer does silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from bas.evaluate.formats import documents
from bas.types import Prediction, Spot

_NAMES_SHOWN = 5


def notes_on_folders(pairs: Mapping[str, str], predictions: Collection[str], *, results: Path) -> list[str]:
    """Notes about the location of the predictions.

    Args:
        pairs: game of the labels to the game of the predictions that it was scored with.
        predictions: every game that has predictions.
        results: folder or archive of the predictions.
    """
    notes = []
    wrapper = documents.wrapping_folder(pairs)
    if wrapper:
        notes.append(
            f"the predictions are inside {wrapper} in {results.name}: scored anyway, but the official scorer and the "
            "challenge servers expect them at the top level and would fail; pack from inside that folder"
        )
    extra = len(set(predictions) - set(pairs.values()))
    if extra:
        notes.append(f"games with predictions but no labels, not scored ({extra:,})")
    return notes


def notes_on_scoring(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
    oddities: Mapping[str, int],
    absent: Sequence[str],
    no_teams: str | None,
) -> list[str]:
    """Notes about entries that are ignored, moved or replaced, and about misleading numbers.

    Args:
        labels: annotations by game.
        predictions: predictions by the same games.
        classes: the vocabulary.
        oddities: how often the scorer ignored, moved or replaced a mark, by description.
        absent: classes without spots.
        no_teams: why there is no Team-mAP; None if there is one.
    """
    annotated = (spot.label for spots in labels.values() for spot in spots)
    predicted = (prediction.label for each in predictions.values() for prediction in each)
    notes = [*_unknown("annotations", annotated, classes), *_unknown("predictions", predicted, classes)]
    notes += [f"{oddity} ({count:,})" for oddity, count in oddities.items() if count]
    notes += [f"{game} has an empty list of predictions" for game in labels if not predictions[game]]
    if absent:
        notes.append(f"no spots of {', '.join(absent)}: officially AP 0, which lowers the mAP")
    outside = sum(spot.half != 1 for spots in labels.values() for spot in spots)
    if no_teams is not None:
        notes.append(no_teams)
    elif outside:
        notes.append(f"annotations outside half 1, dropped by Team-mAP ({outside:,})")
    return notes


def _unknown(what: str, labels: Iterable[str], classes: Sequence[str]) -> list[str]:
    unknown = Counter(label for label in labels if label not in classes)
    if not unknown:
        return []
    most = ", ".join(f"{label!r} {count:,}" for label, count in unknown.most_common(_NAMES_SHOWN))
    return [f"{what} ignored: label is not one of the {len(classes)} classes ({unknown.total():,}): {most}"]
