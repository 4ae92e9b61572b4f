"""`bas tune`: post-processing of a finished run, found on its validation matches and stored with its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bas import console
from bas.dataset import Dataset, open_dataset
from bas.dataset.games import listing
from bas.errors import MissingError, SettingsError
from bas.evaluate.dense import SCORES_FILE, read_scores
from bas.evaluate.peaks import actions_of, detections
from bas.evaluate.run import labels_of_games
from bas.evaluate.score import Evaluation, score_detections
from bas.evaluate.search import Tuning, show, tune
from bas.evaluate.tolerance import tolerance_name
from bas.extract.decode import Decoder
from bas.files import locked
from bas.heads.merged import Spotter, load_spotter
from bas.heads.models import learned_games, read_config, tuned, write_config
from bas.heads.spot import dense_scores
from bas.types import Game

VALID = "valid"


def tune_run(run: Path, *, data: Path, features: Path, device: str, decoder: Decoder = "auto") -> Tuning:
    """Search anew, from the post-processing that the run was fitted with, and store what is found.

    Raises:
        SettingsError: there are no matches to tune on that the model did not learn from.
        MissingError, DataError: the model, a match, its labels or a video is not there, or wrong.
        LockedError: another process is at work in the run.
    """
    model = load_spotter(run, device=device)
    config = read_config(run)
    dataset = open_dataset(data, video=model.settings.extract.video)
    games = validation_games(dataset, run, config)
    with locked(run / "lock", wait=False):
        dense = dense_scores(model, run, games, split=VALID, features=features, decoder=decoder)
        found = tune(
            {game: spots for game, spots in labels_of_games(games).items() if game in dense},
            dense,
            classes=actions_of(model.classes),
            peaks=model.untuned or model.settings.peaks,
        )
        write_config(run, tuned(config, found))
    show(found)
    console.say(f"Stored with the model in {run}. Next: bas eval --run {run}")
    return found


def validation_games(dataset: Dataset, run: Path, config: Mapping[str, Any]) -> tuple[Game, ...]:
    """The matches that judged a model, or else those of the validation split; never one of the test split.

    Raises:
        SettingsError: the model learned from them, or they are to test it.
        MissingError: some of those that judged it are not there.
    """
    judged = config["tuning"]["games"] if "tuning" in config else [game.id for game in dataset.split(VALID)]
    seen = sorted(set(judged) & learned_games(run))
    if config["data"].get("validation matches") == 0:
        seen = judged
    if seen:
        raise SettingsError(
            f"{run} learned from {listing(seen)}, so that tuning on them would flatter. Give the post-processing of "
            "a run that was fitted on the training matches alone: copy settings.peaks of its config.json."
        )
    refused = sorted(set(judged) & {game.id for game in dataset.split("test")})
    if refused:
        raise SettingsError(
            f"{run} was judged by {listing(refused)}, now of the test split of {dataset.root}: tuning on what "
            f"tests it would make the test worthless. Put it back into the split {VALID}."
        )
    games = tuple(game for game in dataset.split("all") if game.id in judged)
    absent = sorted(set(judged) - {game.id for game in games})
    if absent:
        raise MissingError(
            f"{run} was judged by {listing(absent)}, not in {dataset.root}. Give the folder that holds them: --data."
        )
    return games


def show_untuned(model: Spotter, evaluation: Evaluation, games: Sequence[Game], *, out: Path) -> None:
    """Print what the same scores give without the post-processing that was found; nothing if none was."""
    if model.untuned is None:
        return
    found = {
        game.id: {
            half: detections(scores, model.untuned)
            for half, scores in read_scores(out / game.id / SCORES_FILE).items()
        }
        for game in games
    }
    before = score_detections(
        labels_of_games(games),
        found,
        classes=evaluation.classes,
        fps=model.settings.extract.clock_rate,
        tolerance=evaluation.tolerances,
    )
    name = f"mAP@{tolerance_name(evaluation.tolerances)}"
    table = console.table("post-processing", "", name, f"{name} exact", "detections")
    for what, one in (("before it was tuned", before), ("as tuned on the validation games", evaluation)):
        num_detections = sum(row.num_detections for row in one.rows)
        table.add_row(
            what, f"{100 * one.mean_ap:.2f}", f"{100 * one.mean_ap_exact:.2f}", f"{num_detections:,}"
        )
    console.show(table)
