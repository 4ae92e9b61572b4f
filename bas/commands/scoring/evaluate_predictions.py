"""`bas eval --predictions`: score anyone's prediction files; no model, no video, no torch."""

from __future__ import annotations

from pathlib import Path

from bas.dataset import open_dataset
from bas.evaluate.analysis.analysis import RESAMPLES, analyze
from bas.evaluate.metric.tolerance import Tolerance
from bas.evaluate.predictions import read_scores_beside
from bas.evaluate.report.terminal import print_analysis, print_evaluation, write_report
from bas.evaluate.scoring.score import Evaluation, read_documents, score_documents


def evaluate_predictions(
    data: Path,
    predictions: Path,
    *,
    tolerance: Tolerance = 1,
    split: str | None = None,
    json: Path | None = None,
    framerate: int | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Score predictions of any model against labels, print the tables, and write the report to `json`.

    Args:
        data: a folder or zip of labels; videos are not needed.
        predictions: a folder or zip of results_spotting.json.
        tolerance: as `bas.evaluate.metric.parse_tolerance` takes it.
        split: split of the data folder to score; None scores every game that has labels.
        json: path of the report; None writes none.
        framerate: frames per second of the scorer; None means `official_framerate`.
        resamples: number of bootstrap resamples for the interval; 0 leaves it out.

    Raises:
        MissingError, DataError: labels or predictions are missing or invalid.
    """
    games = None
    if split is not None:
        games = [game.id for game in open_dataset(data).split(split, need_videos=False)]
    found = read_documents(data, predictions, games=games)
    evaluation = score_documents(
        found.labels,
        found.predictions,
        classes=found.classes,
        tolerance=tolerance,
        framerate=framerate,
        notes=found.notes,
    )
    print_evaluation(evaluation, split=split)  # at once: what follows may take longer
    scores = read_scores_beside(found.folders)
    analysis = analyze(evaluation, found.labels, found.predictions, scores=scores, resamples=resamples)
    print_analysis(analysis, tolerances=evaluation.tolerances)
    if json is not None:
        write_report(json, evaluation, analysis, split=split)
    return evaluation
