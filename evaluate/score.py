"""Labels and predictions in, the official numbers out: by class, by team, and what they leave out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from bas.dataset.games import listing
from bas.errors import MissingError
from bas.evaluate import documents
from bas.evaluate.notes import notes_on_folders, notes_on_scoring
from bas.evaluate.precision import Timeline, average_precision
from bas.evaluate.soccernet import (
    Prediction,
    predictions_of,
    read_labels,
    read_results,
    results_document,
    with_halves_joined,
)
from bas.evaluate.teams import TeamScore, team_score, why_no_teams
from bas.evaluate.timelines import half_timelines
from bas.evaluate.tolerance import Tolerance, parse_tolerance
from bas.evaluate.vocabulary import recognize_classes
from bas.types import Detection, Spot

FRAMERATE = 25
"""Rows a second at which every ball action challenge is scored; the package's own default is 2."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """The row of one class."""

    label: str
    ap: float
    ap_visible: float
    ap_unshown: float
    ap_exact: float
    """With every distinct confidence as a threshold, not 200 even ones."""
    num_spots: int
    num_detections: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that is known about some predictions; every value is in [0, 1]."""

    tolerances: tuple[float, ...]
    """Whole windows in seconds; several are averaged by the official trapezoid."""
    framerate: int
    games: tuple[str, ...]
    rows: tuple[ClassScore, ...]
    """In the order of the classes."""
    mean_ap: float
    """The official mAP: over all classes, those that never occur counting 0."""
    mean_ap_visible: float
    mean_ap_unshown: float
    mean_ap_exact: float
    teams: TeamScore | None
    """None where labels or predictions name no teams: `notes` says which."""
    notes: tuple[str, ...]
    """What the official scorer ignores or moves without a word, and what the numbers do not tell."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the rows."""
        return tuple(row.label for row in self.rows)

    @property
    def mean_ap_occurring(self) -> float:
        """Mean over the classes that occur; NaN if none does."""
        occurring = [row.ap for row in self.rows if row.num_spots]
        return float(np.mean(occurring)) if occurring else math.nan


def score(
    labels: str | Path,
    results: str | Path,
    *,
    tolerance: Tolerance = 1,
    framerate: int = FRAMERATE,
    classes: Sequence[str] | None = None,
    games: Collection[str] | None = None,
) -> Evaluation:
    """Score results_spotting.json files against labels as the official scorer does; no video is read.

    Args:
        labels: a folder or zip of labels, or one document.
        results: a folder or zip of results_spotting.json, anyone's, or one document for one game.
        tolerance: as `parse_tolerance` takes it.
        framerate: rows a second of the official clock.
        classes: the vocabulary; None recognizes it by the labels that occur.
        games: ids to score; None takes every game that has labels.

    Raises:
        MissingError: labels or results are not there, or a game has no results.
        DataError: a document could not be read by the official scorer.
    """
    found = read_documents(Path(labels), Path(results), classes=classes, games=games)
    return score_documents(
        found.labels,
        found.predictions,
        classes=found.classes,
        tolerance=tolerance,
        framerate=framerate,
        notes=found.notes,
    )


@dataclass(frozen=True, slots=True)
class Documents:
    """Labels and predictions of the same games."""

    labels: Mapping[str, Sequence[Spot]]
    predictions: Mapping[str, Sequence[Prediction]]
    classes: tuple[str, ...]
    folders: Mapping[str, Path | None]
    """Where the predictions of each game stand; None in an archive."""
    notes: tuple[str, ...]
    """About where the predictions stand."""


def read_documents(
    labels: Path,
    results: Path,
    *,
    classes: Sequence[str] | None = None,
    games: Collection[str] | None = None,
) -> Documents:
    """What `score` scores, under the same names.

    Raises:
        MissingError: labels or results are not there, or a game has no results.
        DataError: a document could not be read by the official scorer.
    """
    spots = _wanted(read_labels(labels), games, labels=labels)
    predictions = with_halves_joined(read_results(results), spots)
    if documents.is_one(results) and len(spots) == len(predictions) == 1:
        pairs = dict(zip(spots, predictions, strict=True))
    else:
        pairs = documents.pair(spots, predictions)
    _refuse_missing(spots, pairs, predictions, results=results)
    claimed = {game: predictions[pairs[game]] for game in spots}
    vocabulary = tuple(classes) if classes else recognize_classes(spots, claimed)
    notes = notes_on_folders(pairs, predictions if games is None else (), results=results)
    folders = {game: documents.folder_of(results, pairs[game]) for game in spots}
    return Documents(spots, claimed, vocabulary, folders, tuple(notes))


def score_detections(
    labels: Mapping[str, Sequence[Spot]],
    detections: Mapping[str, Mapping[int, Sequence[Detection]]],
    *,
    classes: Sequence[str],
    fps: Fraction,
    tolerance: Tolerance = 1,
    framerate: int = FRAMERATE,
) -> Evaluation:
    """Score detections at hand, by game and half: to the last bit what their files would score.

    Args:
        labels: annotations by game.
        detections: by the same games, then by half.
        classes: the vocabulary, without teams.
        fps: ticks a second of the detections' clock.
        tolerance: as `parse_tolerance` takes it.
        framerate: rows a second of the official clock.
    """
    written = {game: results_document(game, detections[game], classes=classes, fps=fps) for game in labels}
    predictions = {game: predictions_of(document, source=game) for game, document in written.items()}
    return score_documents(labels, predictions, classes=classes, tolerance=tolerance, framerate=framerate)


def score_documents(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
    tolerance: Tolerance = 1,
    framerate: int = FRAMERATE,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Score what was read, by game; `notes` come before those that the scoring adds."""
    tolerances = parse_tolerance(tolerance)
    timelines: list[Timeline] = []
    oddities: Counter[str] = Counter()
    for game, spots in labels.items():
        layout = half_timelines(spots, predictions[game], classes=classes, framerate=framerate)
        timelines += layout.timelines
        oddities += layout.oddities
    scored = average_precision(
        timelines, num_classes=len(classes), framerate=framerate, tolerances=tolerances
    )
    rows = tuple(
        ClassScore(
            label,
            ap=float(scored.every.per_class[k]),
            ap_visible=float(scored.visible.per_class[k]),
            ap_unshown=float(scored.unshown.per_class[k]),
            ap_exact=float(scored.exact.per_class[k]),
            num_spots=sum(len(t.spots[k].frames) for t in timelines),
            num_detections=sum(len(t.detections[k].frames) for t in timelines),
        )
        for k, label in enumerate(classes)
    )
    refusal = why_no_teams(labels, predictions, classes=classes)
    return Evaluation(
        tolerances=tolerances,
        framerate=framerate,
        games=tuple(labels),
        rows=rows,
        mean_ap=scored.every.mean,
        mean_ap_visible=scored.visible.mean,
        mean_ap_unshown=scored.unshown.mean,
        mean_ap_exact=scored.exact.mean,
        teams=team_score(labels, predictions, classes=classes, framerate=framerate, tolerances=tolerances)
        if refusal is None
        else None,
        notes=(
            *notes,
            *notes_on_scoring(
                labels,
                predictions,
                classes=classes,
                oddities=oddities,
                absent=[row.label for row in rows if not row.num_spots],
                no_teams=refusal,
            ),
        ),
    )


def _wanted(
    spots: Mapping[str, Sequence[Spot]], games: Collection[str] | None, *, labels: Path
) -> dict[str, Sequence[Spot]]:
    """The games to score, in the order of their names."""
    if games is None:
        return {game: spots[game] for game in sorted(spots)}
    pairs = documents.pair(games, spots)
    missing = sorted(set(games) - set(pairs))
    if missing:
        raise MissingError(
            f"{labels} has no labels of {len(missing)} of {len(games)} games to score: {listing(missing, shown=3)}. "
            "Labels of the challenge games are not public; for the others, download them again."
        )
    return {game: spots[pairs[game]] for game in sorted(games)}


def _refuse_missing(
    spots: Collection[str], pairs: Mapping[str, str], predictions: Collection[str], *, results: Path
) -> None:
    missing = sorted(set(spots) - set(pairs))
    if missing:
        raise MissingError(
            f"{results} has no predictions for {len(missing)} of the {len(spots)} games with labels: "
            f"{listing(missing, shown=3)}. It has those of {len(predictions)} games, such as "
            f"{min(predictions)}. The official scorer stops here too: score one split alone (--split), pass the "
            "labels of the wanted games alone, or add the missing files (an empty list is legal)."
        )
