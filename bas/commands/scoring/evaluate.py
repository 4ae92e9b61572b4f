"""`bas eval --run`: predict a split with a model, and score it as the challenge does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.evaluate.analysis.analysis import RESAMPLES, analyze
from bas.evaluate.dense_scores import SCORES_FILE, read_scores
from bas.evaluate.formats.soccernet import RESULTS_FILE, read_results
from bas.evaluate.metric.tolerance import parse_tolerance, tolerance_name
from bas.evaluate.postprocess.detections import detect_games
from bas.evaluate.predictions import labels_of_games, read_scores_beside
from bas.evaluate.report.page import Page, write_page
from bas.evaluate.report.terminal import print_analysis, print_evaluation, write_report
from bas.evaluate.scoring.score import Evaluation, official_framerate, score_detections, score_documents
from bas.heads.inference.predictor import Predictor, load_predictor, predictions_folder
from bas.messages import counted
from bas.runs import history_of
from bas.types import Game
from bas.workspace import Workspace


def evaluate_run(
    run: Path,
    workspace: Workspace,
    *,
    split: str,
    tolerance: str = "1",
    out: Path | None = None,
    json: Path | None = None,
    flip: bool = False,
    framerate: int | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Write a run's predictions for a split, score them as the challenge does, and print the result.

    Args:
        run: folder of a finished run or a model.
        workspace: the matches, their feature caches, device and decoder.
        split: name of the split to score; all its games must have labels.
        tolerance: as `bas.evaluate.metric.parse_tolerance` takes it.
        out: folder for `<game>/results_spotting.json` and dense scores; by default `predictions/<split>` in the run,
            with flip `predictions/<split>-flip`.
        json: file for the report; by default `report.json` beside the predictions, or `report-2.json` and so on
            for other tolerances, and `report-12fps.json` for another frame rate than the official one.
        flip: average the scores over the pictures and their mirror images.
        framerate: frames per second of the scorer; None means `official_framerate`.
        resamples: number of bootstrap resamples for the interval; 0 leaves it out.

    Raises:
        MissingError, DataError: the model, a match, its labels or a video is missing or invalid.
    """
    seconds = parse_tolerance(tolerance)
    predictor = load_predictor(run, workspace, flip=flip)
    games = predictor.games(split)
    labels_of_games(games)  # a split without labels is refused before hours of extraction
    console.info(
        f"Evaluating {run} on {counted(len(games), f'{split} match')} in {workspace.data}; features in "
        f"{workspace.features}; "
        f"device {workspace.device}."
    )
    out = out or predictions_folder(run, split, flip=flip)
    games = predictor.write(games, out, split=split)
    name = "report" if seconds == (1.0,) else f"report-{tolerance_name(seconds).replace(',', '-')}"
    if framerate not in (None, official_framerate(predictor.actions)):
        name = f"{name}-{framerate}fps"
    evaluation = evaluate_written(
        predictor,
        games,
        out,
        tolerance=tolerance,
        split=split,
        json=json or out / f"{name}.json",
        name=name,
        framerate=framerate,
        resamples=resamples,
    )
    _print_tuning_gain(predictor, evaluation, games, out=out)
    return evaluation


def evaluate_written(
    predictor: Predictor,
    games: Sequence[Game],
    out: Path,
    *,
    tolerance: str,
    split: str,
    json: Path,
    name: str,
    framerate: int | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Score the files that a predictor wrote, print the tables, and write the report and the page.

    Args:
        predictor: the model, for its classes and thresholds.
        games: games that were predicted; all have labels.
        out: folder of the predictions, which takes the page.
        tolerance: as `bas.evaluate.metric.parse_tolerance` takes it.
        split: name of these games in the report.
        json: path of the report.
        name: name of the page, without suffix.
        framerate: frames per second of the scorer; None means `official_framerate`.
        resamples: number of bootstrap resamples for the interval; 0 leaves it out.

    Raises:
        MissingError: a game has no labels.
    """
    labels, postprocess = labels_of_games(games), predictor.postprocess
    predictions = {}
    for game in games:
        (predictions[game.id],) = read_results(out / game.id / RESULTS_FILE).values()
    evaluation = score_documents(
        labels, predictions, classes=predictor.actions, tolerance=tolerance, framerate=framerate
    )
    print_evaluation(evaluation, split=split)  # at once: what follows may take longer
    scores = read_scores_beside({game: out / game for game in labels})
    thresholds = {action: postprocess.threshold(action) for action in evaluation.class_names}
    analysis = analyze(
        evaluation,
        labels,
        predictions,
        scores=scores,
        thresholds=thresholds if postprocess.thresholds else None,
        resamples=resamples,
    )
    print_analysis(analysis, tolerances=evaluation.tolerances)
    write_report(json, evaluation, analysis, split=split)
    page = Page(
        f"{predictor.folder.name} on {split}",
        evaluation,
        analysis,
        games,
        scores,
        history_of(predictor.folder),
        predictor.model.settings.extract.time_origin,
    )
    write_page(out / f"{name}.html", page)
    console.info(f"page: {out / f'{name}.html'}")
    return evaluation


def _print_tuning_gain(
    predictor: Predictor, evaluation: Evaluation, games: Sequence[Game], *, out: Path
) -> None:
    """Print the score with the post-processing before tuning, for comparison; nothing if it was never tuned."""
    postprocess = predictor.model.base_postprocess
    if postprocess is None:
        return
    dense = {game.id: read_scores(out / game.id / SCORES_FILE) for game in games}
    before = score_detections(
        labels_of_games(games),
        detect_games(dense, postprocess),
        classes=evaluation.class_names,
        fps=predictor.model.settings.extract.clock_rate,
        tolerance=evaluation.tolerances,
        framerate=evaluation.framerate,
    )
    name = f"mAP@{tolerance_name(evaluation.tolerances)}"
    table = console.table("Post-processing", "", name, f"{name} exact", "detections")
    for what, one in (("before tuning", before), ("tuned on the validation matches", evaluation)):
        num_detections = sum(row.num_detections for row in one.classes)
        table.add_row(
            what, f"{100 * one.mean_ap:.2f}", f"{100 * one.mean_ap_exact:.2f}", f"{num_detections:,}"
        )
    console.show(table)
