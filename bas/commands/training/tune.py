"""`bas tune`: tune the post-processing of a finished run on its validation matches and save it with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bas import console
from bas.dataset import Dataset, open_dataset
from bas.dataset.games import listing
from bas.errors import MissingError, SettingsError
from bas.evaluate.metric.tolerance import tolerance_name
from bas.evaluate.postprocess.events import actions_of, detect
from bas.evaluate.postprocess.search import Tuning, show_tuning, tune
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scores import SCORES_FILE, read_scores
from bas.evaluate.scoring.score import Evaluation, score_detections
from bas.extract.decode.frames import Decoder
from bas.files import locked
from bas.heads.inference.ensemble import VideoModel, load_video_model
from bas.heads.inference.predictor import dense_scores
from bas.heads.interop.model_folder import read_config, training_games, with_tuning, write_config
from bas.types import Game

VALID = "valid"


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


def validation_games(dataset: Dataset, run: Path, config: Mapping[str, Any]) -> tuple[Game, ...]:
    """The validation matches of a model; without a record of them, the validation split. Never a test match.

    Raises:
        SettingsError: the model was trained on one of them, or one is in the test split.
        MissingError: some of them are not in the dataset.
    """
    valid_ids = (
        config["tuning"]["games"] if "tuning" in config else [game.id for game in dataset.split(VALID)]
    )
    trained_on = sorted(set(valid_ids) & training_games(run))
    if config["data"].get("validation matches") == 0:
        trained_on = valid_ids
    if trained_on:
        raise SettingsError(
            f"{run} was trained on {listing(trained_on)}, so it cannot be tuned on them: the result would be too "
            "optimistic. Take the post-processing of a run trained on the training split alone: copy settings.peaks of its config.json."
        )
    in_test = sorted(set(valid_ids) & {game.id for game in dataset.split("test")})
    if in_test:
        raise SettingsError(
            f"{run} was validated on {listing(in_test)}, now in the test split of {dataset.root}. Tuning on test matches "
            f"would make the test score worthless. Move them back to the split {VALID}."
        )
    games = tuple(game for game in dataset.split("all") if game.id in valid_ids)
    absent = sorted(set(valid_ids) - {game.id for game in games})
    if absent:
        raise MissingError(
            f"{run} was validated on {listing(absent)}, not found in {dataset.root}. Name the folder that holds them: --data."
        )
    return games


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
