"""The two forms of `bas eval`: predictions on disk against labels on disk, and a model against its games."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bas import console
from bas.config.settings import PeaksSettings
from bas.dataset import open_dataset
from bas.errors import MissingError
from bas.evaluate import report
from bas.evaluate.dense import SCORES_FILE, write_scores
from bas.evaluate.merge import Ensemble
from bas.evaluate.peaks import actions_of, detections
from bas.evaluate.predict import Rows, slide
from bas.evaluate.score import Evaluation, score, score_documents
from bas.evaluate.soccernet import (
    RESULTS_FILE,
    Prediction,
    read_labels,
    read_results,
    results_document,
    write_results,
)
from bas.evaluate.tolerance import Tolerance
from bas.model import SpottingModel
from bas.types import Detection, Game, Scores, Spot


def evaluate_predictions(
    data: Path,
    predictions: Path,
    *,
    tolerance: Tolerance = 1,
    split: str | None = None,
    json: Path | None = None,
) -> Evaluation:
    """Score anyone's predictions against labels, print the tables, and write the report if asked to.

    Args:
        data: a folder or zip of labels; no video is needed.
        predictions: a folder or zip of results_spotting.json.
        tolerance: as `bas.evaluate.tolerance.parse_tolerance` takes it.
        split: the games of a data folder to score; None takes every game that has labels.
        json: where to write the report.
    """
    games = None
    if split is not None:
        games = [game.id for game in open_dataset(data).split(split, need_videos=False)]
    evaluation = score(data, predictions, tolerance=tolerance, games=games)
    _tell(evaluation, split=split, json=json)
    return evaluation


def evaluate_model(
    model: SpottingModel | Ensemble,
    games: Sequence[Game],
    caches: Mapping[Path, Rows],
    *,
    peaks: PeaksSettings,
    out: Path,
    tolerance: Tolerance = 1,
    split: str | None = None,
    json: Path | None = None,
) -> Evaluation:
    """Write the predictions of a model for some games, then score those files and print the tables.

    Args:
        model: scores rows; or several.
        games: what to score; all must have labels.
        caches: rows by path of the video.
        peaks: how events come out of scores.
        out: `<out>/<game>/` takes the predictions and dense scores of a game.
        tolerance: as `bas.evaluate.tolerance.parse_tolerance` takes it.
        split: what these games are called in the report.
        json: where to write the report.

    Raises:
        MissingError: a game has no labels.
    """
    labels = labels_of_games(games)
    write_predictions(model, games, caches, peaks=peaks, out=out)
    predictions = {game.id: _read_one(out / game.id / RESULTS_FILE) for game in games}
    evaluation = score_documents(labels, predictions, classes=actions_of(model.classes), tolerance=tolerance)
    _tell(evaluation, split=split, json=json)
    return evaluation


def write_predictions(
    model: SpottingModel | Ensemble,
    games: Sequence[Game],
    caches: Mapping[Path, Rows],
    *,
    peaks: PeaksSettings,
    out: Path,
) -> None:
    """Write `results_spotting.json` and the dense scores of every game; labels are not read."""
    actions = actions_of(model.classes)
    with console.progress("scoring", len(games), unit="games") as advance:
        for game in games:
            scores = {video.half: slide(model, caches[video.path]) for video in game.videos}
            write_game(out / game.id, game.id, scores, actions=actions, peaks=peaks)
            advance(note=game.id)


def write_game(
    folder: Path, game: str, scores: Mapping[int, Scores], *, actions: Collection[str], peaks: PeaksSettings
) -> dict[int, list[Detection]]:
    """Write the dense scores and the events of one game, by half, and return the events."""
    events = {half: detections(of_half, peaks) for half, of_half in scores.items()}
    fps = next(iter(scores.values())).fps
    write_scores(folder / SCORES_FILE, scores)
    write_results(folder / RESULTS_FILE, results_document(game, events, classes=actions, fps=fps))
    return events


def labels_of_games(games: Sequence[Game]) -> dict[str, tuple[Spot, ...]]:
    """Annotations by game, as the official scorer reads them.

    Raises:
        MissingError: a game has none.
    """
    labels = {}
    for game in games:
        if game.labels is None:
            raise MissingError(
                f"{game.id} has no labels, so it cannot be scored. Those of the challenge games are hidden: "
                "choose another split, or predict its videos one by one: bas predict."
            )
        (labels[game.id],) = read_labels(game.labels).values()
    return labels


def _read_one(path: Path) -> tuple[Prediction, ...]:
    (predictions,) = read_results(path).values()
    return predictions


def _tell(evaluation: Evaluation, *, split: str | None, json: Path | None) -> None:
    report.show(evaluation, split=split)
    if json is not None:
        report.write_report(json, evaluation, split=split)
        console.say(f"report: {json}")
