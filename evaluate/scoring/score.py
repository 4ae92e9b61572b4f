"""The official score of predictions against labels: by class, by team, and with notes on what it leaves out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from bas.dataset.annotations.video_lists import declared_classes
from bas.dataset.classes import SOCCERNET_V2_CLASSES, recognize_classes
from bas.errors import MissingError
from bas.evaluate.formats import documents
from bas.evaluate.formats.soccernet import (
    LABEL_FILES,
    join_halves,
    parse_predictions,
    read_results,
    read_scored_labels,
    results_document,
)
from bas.evaluate.metric.average_precision import ScoringTimeline, average_precision
from bas.evaluate.metric.team_map import TeamScore, team_score, why_no_teams
from bas.evaluate.metric.timelines import half_timelines
from bas.evaluate.metric.tolerance import Tolerance, parse_tolerance
from bas.evaluate.scoring.notes import notes_on_folders, notes_on_scoring
from bas.messages import counted, listing
from bas.types import Detection, Prediction, Spot

FRAMERATE = 25
"""Frame rate at which every ball action challenge is scored; the SoccerNet package defaults to that of SoccerNet-v2."""

_V2_FRAMERATE = 2


@dataclass(frozen=True, slots=True)
class ClassScore:
    """AP and counts of one class."""

    label: str
    ap: float
    ap_visible: float
    ap_unshown: float
    ap_exact: float
    """AP with every distinct confidence as a threshold, instead of 200 evenly spaced ones."""
    num_spots: int
    num_detections: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Score of some predictions; every mean is in [0, 1]."""

    tolerances: tuple[float, ...]
    """Full window widths in seconds; several are averaged by the official trapezoid."""
    framerate: int
    games: tuple[str, ...]
    classes: tuple[ClassScore, ...]
    """One score per class, in vocabulary order."""
    mean_ap: float
    """The official mAP over all classes; a class that never occurs counts as 0."""
    mean_ap_visible: float
    mean_ap_unshown: float
    mean_ap_exact: float
    num_unshown: int
    """Number of spots that the picture does not show."""
    teams: TeamScore | None
    """Team-mAP; None if labels or predictions name no teams (`notes` says which)."""
    notes: tuple[str, ...]
    """What the official scorer silently ignores or moves, and caveats about the numbers."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The vocabulary, in order."""
        return tuple(one.label for one in self.classes)

    @property
    def mean_ap_occurring(self) -> float:
        """Mean over the classes that occur; NaN if none does."""
        occurring = [one.ap for one in self.classes if one.num_spots]
        return float(np.mean(occurring)) if occurring else math.nan


def official_framerate(classes: Collection[str]) -> int:
    """Frame rate at which predictions of these classes are officially scored: 2 for SoccerNet-v2, otherwise 25."""
    return _V2_FRAMERATE if set(classes) == set(SOCCERNET_V2_CLASSES) else FRAMERATE


def score(
    labels: str | Path,
    results: str | Path,
    *,
    tolerance: Tolerance = 1,
    framerate: int | None = None,
    classes: Sequence[str] | None = None,
    games: Collection[str] | None = None,
) -> Evaluation:
    """Score results_spotting.json files against labels as the official scorer does; no video is read.

    Args:
        labels: a folder or zip of labels, or one document.
        results: a folder or zip of results_spotting.json from any model, or one document for one game.
        tolerance: as `parse_tolerance` takes it.
        framerate: frames per second of the official clock; None means `official_framerate`.
        classes: the vocabulary; None takes the classes that a data folder declares, or infers them from the labels.
        games: ids to score; None scores every game that has labels.

    Raises:
        MissingError: labels or results are not there, or a game has no results.
        DataError: a document could not be read by the official scorer.
    """
    loaded = read_documents(Path(labels), Path(results), classes=classes, games=games)
    return score_documents(
        loaded.labels,
        loaded.predictions,
        classes=loaded.classes,
        tolerance=tolerance,
        framerate=framerate,
        notes=loaded.notes,
    )


@dataclass(frozen=True, slots=True)
class Documents:
    """Labels and predictions of the same games."""

    labels: Mapping[str, Sequence[Spot]]
    predictions: Mapping[str, Sequence[Prediction]]
    classes: tuple[str, ...]
    folders: Mapping[str, Path | None]
    """Folder that holds the predictions of each game; None inside an archive."""
    notes: tuple[str, ...]
    """Notes about the location of the predictions."""


def read_documents(
    labels: Path,
    results: Path,
    *,
    classes: Sequence[str] | None = None,
    games: Collection[str] | None = None,
) -> Documents:
    """Read the labels and predictions that `score` scores; the arguments are the same.

    Raises:
        MissingError: labels or results are not there, or a game has no results.
        DataError: a document could not be read by the official scorer.
    """
    spots = _select_games(read_scored_labels(labels), games, labels=labels)
    predictions = join_halves(read_results(results), spots)
    if documents.is_single_document(results) and len(spots) == len(predictions) == 1:
        pairs = dict(zip(spots, predictions, strict=True))
    else:
        pairs = documents.pair_games(spots, predictions)
    _require_predictions(spots, pairs, predictions, results=results)
    predicted = {game: predictions[pairs[game]] for game in spots}
    vocabulary = tuple(classes or _own_classes(labels)) or recognize_classes(spots, predicted)
    notes = notes_on_folders(pairs, predictions if games is None else (), results=results)
    folders = {game: documents.document_folder(results, pairs[game]) for game in spots}
    return Documents(spots, predicted, vocabulary, folders, tuple(notes))


def score_detections(
    labels: Mapping[str, Sequence[Spot]],
    detections: Mapping[str, Mapping[int, Sequence[Detection]]],
    *,
    classes: Sequence[str],
    fps: Fraction,
    tolerance: Tolerance = 1,
    framerate: int | None = None,
) -> Evaluation:
    """Score detections in memory; equal to the last bit to the score of their files.

    Args:
        labels: annotations by game.
        detections: detections by the same games, then by half.
        classes: the vocabulary, without teams.
        fps: frames per second of the detections' clock.
        tolerance: as `parse_tolerance` takes it.
        framerate: frames per second of the official clock; None means `official_framerate`.
    """
    written = {game: results_document(game, detections[game], classes=classes, fps=fps) for game in labels}
    predictions = {game: parse_predictions(document, source=game) for game, document in written.items()}
    return score_documents(labels, predictions, classes=classes, tolerance=tolerance, framerate=framerate)


def score_documents(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
    tolerance: Tolerance = 1,
    framerate: int | None = None,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Score labels and predictions by game; `notes` are put before those that scoring adds.

    `framerate` is that of the official clock; None means `official_framerate`.
    """
    tolerances = parse_tolerance(tolerance)
    framerate = framerate or official_framerate(classes)
    timelines: list[ScoringTimeline] = []
    oddities: Counter[str] = Counter()
    for game, spots in labels.items():
        halves = half_timelines(spots, predictions[game], classes=classes, framerate=framerate)
        timelines += halves.timelines
        oddities += halves.oddities
    scored = average_precision(
        timelines, num_classes=len(classes), framerate=framerate, tolerances=tolerances
    )
    per_class = tuple(
        ClassScore(
            label,
            ap=float(scored.overall.per_class[k]),
            ap_visible=float(scored.visible.per_class[k]),
            ap_unshown=float(scored.unshown.per_class[k]),
            ap_exact=float(scored.exact.per_class[k]),
            num_spots=sum(len(t.spots[k].frames) for t in timelines),
            num_detections=sum(len(t.detections[k].frames) for t in timelines),
        )
        for k, label in enumerate(classes)
    )
    no_teams = why_no_teams(labels, predictions, classes=classes)
    return Evaluation(
        tolerances=tolerances,
        framerate=framerate,
        games=tuple(labels),
        classes=per_class,
        mean_ap=scored.overall.mean,
        mean_ap_visible=scored.visible.mean,
        mean_ap_unshown=scored.unshown.mean,
        mean_ap_exact=scored.exact.mean,
        num_unshown=sum(not spot.visible for spots in labels.values() for spot in spots),
        teams=team_score(labels, predictions, classes=classes, framerate=framerate, tolerances=tolerances)
        if no_teams is None
        else None,
        notes=(
            *notes,
            *notes_on_scoring(
                labels,
                predictions,
                classes=classes,
                oddities=oddities,
                absent=[one.label for one in per_class if not one.num_spots],
                no_teams=no_teams,
            ),
        ),
    )


def _own_classes(labels: Path) -> tuple[str, ...]:
    """Classes declared beside labels; none for SoccerNet's own files, whose classes are known."""
    if labels.is_dir() and any(next(labels.rglob(name), None) for name in LABEL_FILES):
        return ()
    return declared_classes(labels)


def _select_games(
    spots: Mapping[str, Sequence[Spot]], games: Collection[str] | None, *, labels: Path
) -> dict[str, Sequence[Spot]]:
    """Labels of the games to score, sorted by game."""
    if games is None:
        return {game: spots[game] for game in sorted(spots)}
    pairs = documents.pair_games(games, spots)
    missing = sorted(set(games) - set(pairs))
    if missing:
        raise MissingError(
            f"{labels} has no labels for {len(missing)} of {counted(len(games), 'game')} to score: "
            f"{listing(missing, shown=3)}. "
            "Labels of the challenge games are not public; download those of other games again."
        )
    return {game: spots[pairs[game]] for game in sorted(games)}


def _require_predictions(
    spots: Collection[str], pairs: Mapping[str, str], predictions: Collection[str], *, results: Path
) -> None:
    missing = sorted(set(spots) - set(pairs))
    if missing:
        raise MissingError(
            f"{results} has no predictions for {len(missing)} of {counted(len(spots), 'game')} with labels: "
            f"{listing(missing, shown=3)}. It has predictions for {counted(len(predictions), 'game')}, "
            "such as "
            f"{min(predictions)}. The official scorer stops here too: score a single split (--split), pass only the "
            "labels of the games to score, or add the missing files (an empty list is allowed)."
        )
