"""Evaluation of predictions on disk, and of a model on games: files, tables and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bas import console, files
from bas.config import PeaksSettings
from bas.config.pipeline import TimeOrigin
from bas.dataset import open_dataset
from bas.dataset.splits import official_lists
from bas.errors import DataError, MissingError
from bas.evaluate.analysis.analysis import Analysis, analyze
from bas.evaluate.formats.exports import write_exports, write_osl
from bas.evaluate.formats.osl import PredictedGame
from bas.evaluate.formats.soccernet import (
    LABEL_FILES,
    RESULTS_FILE,
    read_results,
    read_scored_labels,
    results_document,
    write_results,
)
from bas.evaluate.metric.tolerance import Tolerance, tolerance_name
from bas.evaluate.postprocess.events import detect
from bas.evaluate.report import terminal as report
from bas.evaluate.report.page import Page, write_page
from bas.evaluate.report.terminal import analysis_document, print_analysis
from bas.evaluate.scores import SCORES_FILE, Ensemble, Rows, read_scores, score_video, write_scores
from bas.evaluate.scoring.score import Evaluation, read_documents, score_documents
from bas.types import Detection, Game, Prediction, Scores, Spot, SpottingModel
from bas.vocabulary import actions_of


def evaluate_predictions(
    data: Path,
    predictions: Path,
    *,
    tolerance: Tolerance = 1,
    split: str | None = None,
    json: Path | None = None,
) -> Evaluation:
    """Score predictions of any model against labels, print the tables, and write the report to `json`.

    Args:
        data: a folder or zip of labels; videos are not needed.
        predictions: a folder or zip of results_spotting.json.
        tolerance: as `bas.evaluate.metric.tolerance.parse_tolerance` takes it.
        split: split of the data folder to score; None scores every game that has labels.
        json: path of the report; None writes none.
    """
    games = None
    if split is not None:
        games = [game.id for game in open_dataset(data).split(split, need_videos=False)]
    found = read_documents(data, predictions, games=games)
    evaluation = score_documents(
        found.labels, found.predictions, classes=found.classes, tolerance=tolerance, notes=found.notes
    )
    scores = _scores_in(found.folders)
    analysis = analyze(evaluation, found.labels, found.predictions, scores=scores)
    _print_report(evaluation, analysis, split=split, json=json)
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
    html: Path | None = None,
    title: str = "",
    training: Sequence[Mapping[str, Any]] = (),
    time_origin: TimeOrigin = "auto",
) -> Evaluation:
    """Write the predictions of a model for some games, then score those files and print the tables.

    Args:
        model: model or ensemble that scores feature rows.
        games: games to score; all must have labels.
        caches: feature rows by video path.
        peaks: post-processing of the scores.
        out: output folder; predictions and dense scores of a game go to `<out>/<game>/`.
        tolerance: as `bas.evaluate.metric.tolerance.parse_tolerance` takes it.
        split: name of these games in the report.
        json: path of the report; None writes none.
        html: path of the HTML page; None writes none.
        title: title of the page.
        training: records of the run's epochs, for the page.
        time_origin: `time_origin` setting of the rows, for the page.

    Raises:
        MissingError: a game has no labels.
    """
    labels = labels_of_games(games)
    write_predictions(model, games, caches, peaks=peaks, out=out, split=split)
    predictions = {game.id: _read_one(out / game.id / RESULTS_FILE) for game in games}
    evaluation = score_documents(labels, predictions, classes=actions_of(model.classes), tolerance=tolerance)
    scores = _scores_in({game: out / game for game in labels})
    thresholds = {action: peaks.threshold(action) for action in evaluation.class_names}
    analysis = analyze(
        evaluation, labels, predictions, scores=scores, thresholds=thresholds if peaks.thresholds else None
    )
    _print_report(evaluation, analysis, split=split, json=json)
    if html is not None:
        write_page(html, Page(title, evaluation, analysis, games, scores, training, time_origin))
        console.info(f"page: {html}")
    return evaluation


def write_predictions(
    model: SpottingModel | Ensemble,
    games: Sequence[Game],
    caches: Mapping[Path, Rows],
    *,
    peaks: PeaksSettings,
    out: Path,
    split: str | None = None,
) -> None:
    """Write events and dense scores of every game, in all formats; labels are not read."""
    actions = actions_of(model.classes)
    predicted = []
    with console.progress("scoring", len(games), unit="games") as advance:
        for game in games:
            scores = {video.half: score_video(model, caches[video.path]) for video in game.videos}
            events = write_game(out / game.id, game, scores, actions=actions, peaks=peaks)
            predicted.append(PredictedGame(game, events, next(iter(scores.values())).fps))
            advance(note=game.id)
    write_osl(out, predicted, classes=actions, split=split)


def write_game(
    folder: Path, game: Game, scores: Mapping[int, Scores], *, actions: Sequence[str], peaks: PeaksSettings
) -> dict[int, list[Detection]]:
    """Write the dense scores and the events of one game, in all formats.

    Returns:
        The events by half.

    Raises:
        DataError: the scores are not all finite.
    """
    broken = [half for half, of_half in scores.items() if not np.isfinite(of_half.values).all()]
    if broken:
        raise DataError(
            f"The model's scores for {game.id} contain NaN or infinity (half {broken[0]}), so the model is broken. Train "
            "it again, or copy it again."
        )
    events = {half: detect(of_half, peaks) for half, of_half in scores.items()}
    fps = next(iter(scores.values())).fps
    write_scores(folder / SCORES_FILE, scores)
    write_results(folder / RESULTS_FILE, results_document(game.id, events, classes=actions, fps=fps))
    write_exports(folder, PredictedGame(game, events, fps), peaks=peaks)
    return events


def labels_of_games(games: Sequence[Game]) -> dict[str, tuple[Spot, ...]]:
    """Annotations by game, as the official scorer reads them.

    Raises:
        MissingError: a game has no labels.
    """
    labels = {}
    for game in games:
        if game.labels is None:
            raise MissingError(_unlabeled(game))
        in_file = read_scored_labels(game.labels)
        labels[game.id] = in_file[game.id] if game.id in in_file else next(iter(in_file.values()))
    return labels


def _unlabeled(game: Game) -> str:
    problem = f"{game.id} has no labels, so it cannot be scored"
    if game.id in official_lists("spotting-ball")["challenge"]:
        return (
            f"{problem}: labels of the challenge games are hidden. Choose another split, or submit the predictions: "
            "bas submit RUN."
        )
    video = game.videos[0].path
    names = f"{', '.join(LABEL_FILES)} or {video.stem}.json"
    return f"{problem}: {video.parent} holds no {names}. Check for other missing files: bas doctor."


def _read_one(path: Path) -> tuple[Prediction, ...]:
    (predictions,) = read_results(path).values()
    return predictions


def _scores_in(folders: Mapping[str, Path | None]) -> dict[str, dict[int, Scores]] | None:
    """Dense scores beside the predictions of every game; None unless every game has them."""
    beside = {game: folder / SCORES_FILE for game, folder in folders.items() if folder is not None}
    if len(beside) < len(folders) or not all(file.is_file() for file in beside.values()):
        return None
    return {game: read_scores(file) for game, file in beside.items()}


def _print_report(
    evaluation: Evaluation, analysis: Analysis, *, split: str | None, json: Path | None
) -> None:
    report.print_evaluation(evaluation, split=split)
    print_analysis(analysis, name=f"mAP@{tolerance_name(evaluation.tolerances)}")
    if json is not None:
        files.write_json(json, report.report_document(evaluation, split=split) | analysis_document(analysis))
        console.info(f"report: {json}")
