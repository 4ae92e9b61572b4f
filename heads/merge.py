"""`bas merge`: one model out of several finished runs, their weights and post-processing tuned on valid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

import bas
from bas import console
from bas.config import PeaksSettings, to_yaml
from bas.dataset import Dataset, open_dataset
from bas.dataset.games import listing
from bas.errors import SettingsError
from bas.evaluate.peaks import actions_of
from bas.evaluate.run import labels_of_games
from bas.evaluate.search import show, tune
from bas.evaluate.weights import exact_mean_ap, mean_dense, weigh
from bas.extract.decode import Decoder
from bas.files import atomic_write
from bas.heads.merged import load_stacker
from bas.heads.models import FORMAT, MODEL_FILES, learned_games, read_config, tuned, write_config
from bas.heads.spot import dense_scores
from bas.heads.stacker import Stacker
from bas.heads.tuning import VALID, validation_games
from bas.runs import open_run, run_state
from bas.types import Game


def merge(
    runs: Sequence[Path],
    *,
    out: Path,
    data: Path,
    features: Path,
    device: str,
    decoder: Decoder = "auto",
) -> Path:
    """Average the dense scores of runs, with weights and post-processing found on their validation matches.

    The members are copied, so the folder that results can be moved; runs without weight are left out.

    Returns:
        `out`, a finished run.

    Raises:
        SettingsError: the runs do not go together, or `out` holds something else.
        MissingError, DataError: a model, a match, its labels or a video is not there, or wrong.
    """
    names = [run.resolve().name for run in runs]
    if _is_finished(out, names):
        console.say(f"{out} is finished already. Next: bas eval --run {quote(str(out))}")
        return out
    models = _load(runs, device=device)
    dataset = open_dataset(data, video=models[0].settings.extract.video)
    games = _common_games(dataset, runs)
    dense = [
        dense_scores(model, run, games, split=VALID, features=features, decoder=decoder)
        for run, model in zip(runs, models, strict=True)
    ]
    whole = [game for game in games if all(game.id in scores for scores in dense)]
    labels = labels_of_games(whole)
    actions = actions_of(models[0].classes)
    peaks = _untuned(_fastest(models))
    weights = weigh(dense, labels, actions, peaks)
    shares = np.eye(len(runs)).tolist()
    _tell(runs, weights, [exact_mean_ap(mean_dense(dense, one), labels, actions, peaks) for one in shares])
    kept = [index for index, weight in enumerate(weights) if weight]
    mean = mean_dense([dense[index] for index in kept], [weights[index] for index in kept])
    fastest = _fastest([models[index] for index in kept])  # whose clock is that of the mean
    found = tune(labels, mean, classes=actions, peaks=_untuned(fastest))
    show(found)
    (out / "members").mkdir(parents=True, exist_ok=True)  # by which an unfinished merge is known
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
            "data": {"validation matches": len(whole)},
            "learned": sorted(set().union(*(learned_games(runs[index]) for index in kept))),
        }
        write_config(out, tuned(config, found))
        run.mark("done")
    console.say(f"{out} is finished. Next: bas eval --run {quote(str(out))}")
    return out


def _is_finished(out: Path, names: Sequence[str]) -> bool:
    """Whether these runs were merged there already; nothing else may lie there.

    Raises:
        SettingsError: something else does.
    """
    there = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    config = read_config(out) if "config.json" in there else {}
    begun = "members" in there and config.get("reads", "runs") == "runs"
    if there and not begun:
        raise SettingsError(f"{out} holds {listing(there)}. Choose another folder: --out FOLDER.")
    if run_state(out) != "done":
        return False
    if config["merged"] != names:
        raise SettingsError(
            f"{out} is merged of {', '.join(config['merged'])}. Choose another folder: --out FOLDER."
        )
    return True


def _load(runs: Sequence[Path], *, device: str) -> list[Stacker]:
    """The models of the runs, once they are known to go together."""
    if len({run.resolve() for run in runs}) < max(2, len(runs)):
        raise SettingsError(f"Merge two runs or more, each named once; given: {', '.join(map(str, runs))}.")
    for run in runs:
        if read_config(run)["reads"] == "runs":
            raise SettingsError(
                f"{run} is merged itself. Name the runs that it was made of, with the others."
            )
    models = [load_stacker(run, device=device) for run in runs]
    for run, model in zip(runs, models, strict=True):
        if model.classes != models[0].classes:
            raise SettingsError(
                f"{runs[0]} tells {', '.join(models[0].classes)}, and {run} tells {', '.join(model.classes)}: "
                "their scores cannot be averaged. Merge runs of one vocabulary."
            )
        if model.settings.extract.video != models[0].settings.extract.video:
            raise SettingsError(
                f"{runs[0]} reads the videos of {models[0].settings.extract.video}, {run} those of "
                f"{model.settings.extract.video}. Merge runs of the same video files."
            )
    return models


def _common_games(dataset: Dataset, runs: Sequence[Path]) -> tuple[Game, ...]:
    """The matches that judged every run."""
    first, *others = (validation_games(dataset, run, read_config(run)) for run in runs)
    for run, games in zip(runs[1:], others, strict=True):
        if set(games) != set(first):
            raise SettingsError(
                f"{runs[0]} and {run} were judged by different matches, so that one of them learned from what the "
                "other was judged by: weights cannot be tuned. Merge runs of the same training matches."
            )
    return first


def _copy(run: Path, out: Path, number: int) -> str:
    """Copy what makes a model, and name its folder relative to `out`."""
    folder = f"members/{number}-{run.resolve().name}"
    for name in MODEL_FILES:
        atomic_write(out / folder / name, (run / name).read_bytes())
    return folder


def _fastest(models: Sequence[Stacker]) -> Stacker:
    return max(models, key=lambda model: model.settings.extract.clock_rate)


def _untuned(model: Stacker) -> PeaksSettings:
    return model.untuned or model.settings.peaks


def _tell(runs: Sequence[Path], weights: Sequence[float], alone: Sequence[float]) -> None:
    """Print the weights, and what each run scores by itself."""
    table = console.table("merged", "run", "weight", "alone, mAP@1 exact", left=1)
    for run, weight, mean_ap in zip(runs, weights, alone, strict=True):
        table.add_row(str(run), f"{weight:.2f}", f"{100 * mean_ap:.2f}")
    console.show(table)
    if max(weights) == 1:
        console.warn("One run alone is better than any mean with the others: merging gains nothing.")
