"""`bas tune`: tune the post-processing of a finished run on its validation matches and save it with the model."""

from __future__ import annotations

from pathlib import Path

from bas import console
from bas.evaluate.postprocess.search import Tuning, show_tuning, tune
from bas.evaluate.predictions import labels_of_games
from bas.files import locked
from bas.heads.inference.guards import VALID, validation_games
from bas.heads.inference.predictor import load_predictor
from bas.heads.interop.model_folder import read_config, with_tuning, write_config
from bas.workspace import Workspace


def tune_run(run: Path, workspace: Workspace) -> Tuning:
    """Repeat the search, starting from the post-processing the run was trained with, and save the result.

    Raises:
        SettingsError: the model was trained on its validation matches, or they are now test matches.
        MissingError, DataError: the model, a match, its labels or a video is missing or invalid, or the matches
            are labeled with other classes than the model's.
        LockedError: another process is using the run.
    """
    predictor = load_predictor(run, workspace)
    config = read_config(run)
    games = validation_games(predictor.dataset, run, config)
    labels = labels_of_games(games)  # missing labels are refused before hours of extraction
    with locked(run / "lock", wait=False):
        dense = predictor.dense_scores(games, split=VALID)
        found = tune(
            {game: spots for game, spots in labels.items() if game in dense},
            dense,
            classes=predictor.actions,
            postprocess=predictor.model.base_postprocess or predictor.postprocess,
        )
        write_config(run, with_tuning(config, found))
    show_tuning(found)
    console.info(f"Saved with the model in {run}. Next: bas eval --run {run}")
    return found
