"""What the official scorer does without a word, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from bas.evaluate import documents
from bas.evaluate.soccernet import Prediction
from bas.types import Spot

_NAMES_SHOWN = 5


def notes_on_folders(pairs: Mapping[str, str], predictions: Collection[str], *, results: Path) -> list[str]:
    """About where predictions stand.

    Args:
        pairs: the game of predictions that each game of labels was scored with.
        predictions: every game that has predictions.
        results: their folder or archive.
    """
    notes = []
    wrapper = documents.wrapping_folder(pairs)
    if wrapper:
        notes.append(
            f"the predictions stand inside {wrapper} in {results.name}: scored all the same, but the official "
            "scorer and the challenge servers look at the top and would stop; pack from inside that folder"
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
    """About entries that are ignored, moved or replaced, and numbers that mislead.

    Args:
        labels: annotations by game.
        predictions: by the same games.
        classes: the vocabulary.
        oddities: how often the scorer did what.
        absent: classes without ground truth.
        no_teams: why there is no Team-mAP, if there is none.
    """
    annotated = (spot.label for spots in labels.values() for spot in spots)
    claimed = (prediction.label for each in predictions.values() for prediction in each)
    notes = [*_unknown("annotations", annotated, classes), *_unknown("predictions", claimed, classes)]
    notes += [f"{oddity} ({count:,})" for oddity, count in oddities.items() if count]
    notes += [f"{game} has an empty list of predictions" for game in labels if not predictions[game]]
    if absent:
        notes.append(f"no ground truth of {', '.join(absent)}: officially AP 0, which lowers the mAP")
    outside = sum(spot.half != 1 for spots in labels.values() for spot in spots)
    if no_teams is not None:
        notes.append(no_teams)
    elif outside:
        notes.append(f"annotations that Team-mAP drops, outside half 1 ({outside:,})")
    return notes


def _unknown(what: str, labels: Iterable[str], classes: Sequence[str]) -> list[str]:
    unknown = Counter(label for label in labels if label not in classes)
    if not unknown:
        return []
    most = ", ".join(f"{label!r} {count:,}" for label, count in unknown.most_common(_NAMES_SHOWN))
    return [f"{what} ignored, of none of the {len(classes)} classes ({unknown.total():,}): {most}"]
