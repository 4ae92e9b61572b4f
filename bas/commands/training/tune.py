"""`bas tune`: tune the post-processing of a finished run on its validation matches and save it with the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.config.base import Decoder
from bas.dataset import open_dataset
from bas.evaluate.metric.tolerance import tolerance_name
from bas.evaluate.postprocess.events import detect
from bas.evaluate.postprocess.search import Tuning, show_tuning, tune
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scores import SCORES_FILE, read_scores
from bas.evaluate.scoring.score import Evaluation, score_detections
from bas.files import locked
from bas.heads.inference.ensemble import VideoModel, load_video_model
from bas.heads.inference.leakage import VALID, validation_games
from bas.heads.inference.predictor import dense_scores
from bas.heads.interop.model_folder import read_config, with_tuning, write_config
from bas.types import Game
from bas.vocabulary import actions_of


def tune_run(run: Path, *, data: Path, features: Path, device: str, decoder: Decoder = "auto") -> Tuning:
    """Repeat the search, starting from the post-processing the run was trained with, and save the result.

    Raises:
        SettingsError: the model was trained on its validation matches, or they are now test matches.
        MissingError, DataError: the model, a match, its labels or a video is missing or invalid.
        LockedError: another process is using the run.
    """
    model = load_video_model(run, device=device)
    config = read_config(run)
    dataset = open_dataset(data, video=model.settings.extract.video)
    games = validation_games(dataset, run, config)
    with locked(run / "lock", wait=False):
        dense = dense_scores(model, run, games, split=VALID, features=features, decoder=decoder)
        found = tune(
            {game: spots for game, spots in labels_of_games(games).items() if game in dense},
            dense,
            classes=actions_of(model.classes),
            peaks=model.base_postprocess or model.settings.peaks,
        )
        write_config(run, with_tuning(config, found))
    show_tuning(found)
    console.info(f"Saved with the model in {run}. Next: bas eval --run {run}")
    return found


def show_tuning_gain(model: VideoModel, evaluation: Evaluation, games: Sequence[Game], *, out: Path) -> None:
    """Print the score with the post-processing before tuning, for comparison; nothing if it was never tuned."""
    if model.base_postprocess is None:
        return
    found = {
        game.id: {
            half: detect(scores, model.base_postprocess)
            for half, scores in read_scores(out / game.id / SCORES_FILE).items()
        }
        for game in games
    }
    before = score_detections(
        labels_of_games(games),
        found,
        classes=evaluation.class_names,
        fps=model.settings.extract.clock_rate,
        tolerance=evaluation.tolerances,
    )
    name = f"mAP@{tolerance_name(evaluation.tolerances)}"
    table = console.table("Post-processing", "", name, f"{name} exact", "detections")
    for what, one in (("before tuning", before), ("tuned on the validation games", evaluation)):
        num_detections = sum(row.num_detections for row in one.classes)
        table.add_row(
            what, f"{100 * one.mean_ap:.2f}", f"{100 * one.mean_ap_exact:.2f}", f"{num_detections:,}"
        )
    console.show(table)
