"""Prediction files of one game, in every format, and the labels that they are scored against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bas.config import PostprocessSettings
from bas.dataset.splits import official_lists
from bas.errors import DataError, MissingError
from bas.evaluate.dense_scores import SCORES_FILE, read_scores, write_scores
from bas.evaluate.formats.exports import write_exports
from bas.evaluate.formats.osl import PredictedGame
from bas.evaluate.formats.soccernet import (
    LABEL_FILES,
    RESULTS_FILE,
    read_scored_labels,
    results_document,
)
from bas.evaluate.postprocess.detections import detect
from bas.files import write_json
from bas.types import Game, Scores, Spot


def write_game(
    folder: Path,
    game: Game,
    scores: Mapping[int, Scores],
    *,
    actions: Sequence[str],
    postprocess: PostprocessSettings,
    leads_ms: Mapping[int, int],
) -> PredictedGame:
    """Write the dense scores and the detections of one game, in all formats.

    Args:
        folder: folder of the game's files.
        game: the game.
        scores: dense scores by half.
        actions: the model's classes, without teams.
        postprocess: post-processing that turns scores into detections.
        leads_ms: milliseconds by half that a player shows at position 0.

    Returns:
        The game with its detections.

    Raises:
        DataError: the scores are not all finite.
    """
    broken = [half for half, of_half in scores.items() if not np.isfinite(of_half.values).all()]
    if broken:
        raise DataError(
            f"The model's scores for {game.id} contain NaN or infinity (half {broken[0]}), so the model is broken. Train "
            "it again, or copy it again."
        )
    detections = {half: detect(of_half, postprocess) for half, of_half in scores.items()}
    fps = next(iter(scores.values())).fps
    write_scores(folder / SCORES_FILE, scores)
    write_json(folder / RESULTS_FILE, results_document(game.id, detections, classes=actions, fps=fps))
    predicted = PredictedGame(game, detections, fps, leads_ms)
    write_exports(folder, predicted, postprocess=postprocess)
    return predicted


def labels_of_games(games: Sequence[Game]) -> dict[str, tuple[Spot, ...]]:
    """Annotations by game, as the official scorer reads them.

    Raises:
        MissingError: a game has no labels.
    """
    labels = {}
    lists: dict[Path, dict[str, tuple[Spot, ...]]] = {}  # one file may hold the labels of all games
    for game in games:
        if game.labels is None:
            raise MissingError(_unlabeled(game))
        if game.labels not in lists:
            lists[game.labels] = read_scored_labels(game.labels)
        in_file = lists[game.labels]
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


def read_scores_beside(folders: Mapping[str, Path | None]) -> dict[str, dict[int, Scores]] | None:
    """Dense scores beside the predictions of every game; None unless every game has them.

    Args:
        folders: folder of each game's predictions by game id; None where there is none.
    """
    beside = {game: folder / SCORES_FILE for game, folder in folders.items() if folder is not None}
    if len(beside) < len(folders) or not all(file.is_file() for file in beside.values()):
        return None
    return {game: read_scores(file) for game, file in beside.items()}
