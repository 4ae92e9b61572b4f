"""`bas merge`: an ensemble of finished runs, with weights and post-processing tuned on the validation matches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

import bas
from bas import console
from bas.config import PostprocessSettings, to_yaml
from bas.dataset import Dataset
from bas.errors import DataError, SettingsError
from bas.evaluate.averaging import mean_dense_scores
from bas.evaluate.ensemble_weights import exact_mean_ap, select_weights
from bas.evaluate.postprocess.search import show_tuning, tune
from bas.evaluate.predictions import labels_of_games
from bas.files import atomic_write
from bas.heads.inference.ensemble import VideoModel
from bas.heads.inference.guards import VALID, require_same, validation_games
from bas.heads.inference.predictor import Predictor, load_predictor
from bas.heads.interop.model_folder import (
    FORMAT,
    MODEL_FILES,
    read_config,
    training_games,
    with_tuning,
    write_config,
)
from bas.messages import listing
from bas.runs import open_run, run_state
from bas.types import Game
from bas.workspace import Workspace


def merge(
    runs: Sequence[Path],
    workspace: Workspace,
    *,
    out: Path,
) -> Path:
    """Average the dense scores of runs, with weights and post-processing tuned on their validation matches.

    Members are copied, so the resulting folder can be moved. Runs with weight 0 are left out.

    Returns:
        `out`, a finished run.

    Raises:
        SettingsError: the runs are incompatible, or `out` holds something else.
        MissingError, DataError: a model, a match, its labels or a video is missing or invalid.
    """
    names = [run.resolve().name for run in runs]
    if _is_finished(out, names):
        console.info(f"{out} is already finished. Next: bas eval --run {quote(str(out))}")
        return out
    predictors = _load_compatible(runs, workspace)
    models = [predictor.model for predictor in predictors]
    games = _common_games(predictors[0].dataset, runs)
    labels = labels_of_games(games)  # missing labels are refused before hours of extraction
    dense = [predictor.dense_scores(games, split=VALID) for predictor in predictors]
    complete = [game for game in games if all(game.id in scores for scores in dense)]
    if not complete:
        raise DataError(
            f"No validation match in {workspace.data} can be read by all of {', '.join(map(str, runs))}: each has "
            "damaged videos. Repair or replace the videos, see bas doctor."
        )
    labels = {game.id: labels[game.id] for game in complete}
    actions = predictors[0].actions
    postprocess = _base_postprocess(_fastest(models))
    weights = select_weights(dense, labels, actions, postprocess)
    one_hot = np.eye(len(runs)).tolist()
    _print_weights(
        runs,
        weights,
        [exact_mean_ap(mean_dense_scores(dense, one), labels, actions, postprocess) for one in one_hot],
    )
    kept = [index for index, weight in enumerate(weights) if weight]
    mean = mean_dense_scores([dense[index] for index in kept], [weights[index] for index in kept])
    fastest = _fastest([models[index] for index in kept])  # the averaged scores are on its clock
    found = tune(labels, mean, classes=actions, postprocess=_base_postprocess(fastest))
    show_tuning(found)
    # Created before anything else in `out`: _is_finished recognizes an interrupted merge by it.
    (out / "members").mkdir(parents=True, exist_ok=True)
    with open_run(out, settings_yaml=to_yaml(fastest.settings)) as run:
        config: dict[str, Any] = {
            "format": FORMAT,
            "bas": bas.__version__,
            "reads": "runs",
            "merged": names,
            "members": [
                {"folder": _copy(runs[index], out, index), "weight": weights[index]} for index in kept
            ],
            "classes": list(models[0].classes),
            "settings": fastest.settings.model_dump(mode="json"),
            "metrics": {"validation mAP@1": found.mean_before},
            "data": {"validation matches": len(complete)},
            "learned": sorted(set().union(*(training_games(runs[index]) for index in kept))),
        }
        write_config(out, with_tuning(config, found))
        run.set_state("done")
    console.info(f"{out} is finished. Next: bas eval --run {quote(str(out))}")
    return out


def _is_finished(out: Path, names: Sequence[str]) -> bool:
    """Whether `out` is a finished merge of these runs.

    Raises:
        SettingsError: `out` holds anything but a merge of these runs, finished or interrupted.
    """
    entries = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    config = read_config(out) if "config.json" in entries else {}
    is_merge = "members" in entries and config.get("reads", "runs") == "runs"
    if entries and not is_merge:
        raise SettingsError(
            f"{out} is not empty: it holds {listing(entries)}. Choose another folder: --out FOLDER."
        )
    if run_state(out) != "done":
        return False
    merged = config.get("merged", [])
    if merged != names:
        raise SettingsError(
            f"{out} is already a merge of {listing(merged)}. Choose another folder: --out FOLDER."
        )
    return True


def _load_compatible(runs: Sequence[Path], workspace: Workspace) -> list[Predictor]:
    """Load the models of the runs. Raises SettingsError if their scores cannot be averaged."""
    if len({run.resolve() for run in runs}) < max(2, len(runs)):
        raise SettingsError(f"Cannot merge {', '.join(map(str, runs))}. Name two or more different runs.")
    for run in runs:
        if read_config(run)["reads"] == "runs":
            raise SettingsError(
                f"{run} is itself a merge of runs. Name its members instead, together with the other runs."
            )
    predictors = [load_predictor(run, workspace) for run in runs]
    require_same(
        runs,
        [", ".join(predictor.model.classes) for predictor in predictors],
        problem="The runs predict different classes",
        remedy="Merge runs with the same class list.",
    )
    require_same(
        runs,
        [predictor.model.settings.extract.video for predictor in predictors],
        problem="The runs read different videos",
        remedy="Merge runs that read the same videos.",
    )
    return predictors


def _common_games(dataset: Dataset, runs: Sequence[Path]) -> tuple[Game, ...]:
    """The validation matches of the runs. Raises SettingsError if they differ."""
    first, *others = (validation_games(dataset, run, read_config(run)) for run in runs)
    for run, games in zip(runs[1:], others, strict=True):
        if set(games) != set(first):
            raise SettingsError(
                f"{runs[0]} and {run} have different validation matches, so neither set is held out for both, and the "
                "weights cannot be tuned. Merge runs with the same split."
            )
    return first


def _copy(run: Path, out: Path, number: int) -> str:
    """Copy the model files of a run; returns their folder, relative to `out`."""
    folder = f"members/{number}-{run.resolve().name}"
    for name in MODEL_FILES:
        atomic_write(out / folder / name, (run / name).read_bytes())
    return folder


def _fastest(models: Sequence[VideoModel]) -> VideoModel:
    return max(models, key=lambda model: model.settings.extract.clock_rate)


def _base_postprocess(model: VideoModel) -> PostprocessSettings:
    return model.base_postprocess or model.settings.peaks


def _print_weights(runs: Sequence[Path], weights: Sequence[float], alone: Sequence[float]) -> None:
    """Print the weight of each run and its score alone."""
    table = console.table("Ensemble", "run", "weight", "mAP@1 exact, alone", left=1)
    for run, weight, mean_ap in zip(runs, weights, alone, strict=True):
        table.add_row(str(run), f"{weight:.2f}", f"{100 * mean_ap:.2f}")
    console.show(table)
    if max(weights) == 1:
        console.warn("One run alone scores higher than any average with the others: merging gains nothing.")
