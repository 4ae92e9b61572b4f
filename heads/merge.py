"""`bas merge`: one model out of several finished runs, their weights and post-processing tuned on valid.

Weights by greedy selection with replacement: Caruana et al., Ensemble Selection from Libraries of
Models, ICML 2004.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bas
from bas import console
from bas.config import to_yaml
from bas.config.settings import PeaksSettings
from bas.dataset import Dataset, open_dataset
from bas.errors import SettingsError
from bas.evaluate.merge import mean_scores
from bas.evaluate.peaks import actions_of
from bas.evaluate.run import labels_of_games
from bas.evaluate.search import show, tune
from bas.evaluate.trial import score_action, watch
from bas.extract.decode import Decoder
from bas.files import atomic_write
from bas.heads.merged import load_stacker
from bas.heads.models import FORMAT, MODEL_FILES, read_config, tuned, write_config
from bas.heads.spot import dense_scores
from bas.heads.stacker import Stacker
from bas.heads.tuning import VALID, validation_games
from bas.runs import open_run, run_state
from bas.types import Game, Scores, Spot

_PICKS = 10
_EQUAL = 1e-9  # of AP: rounding

Dense = Mapping[str, Mapping[int, Scores]]


@dataclass(frozen=True, slots=True)
class _Member:
    run: Path
    model: Stacker
    dense: Dense
    """Scores of the validation matches."""


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
        SettingsError: the runs do not go together, or `out` is finished already.
        MissingError, DataError: a model, a match, its labels or a video is not there, or wrong.
    """
    if run_state(out) == "done":
        raise SettingsError(f"{out} is a finished run already. Choose another folder: --out FOLDER.")
    models = _load(runs, device=device)
    dataset = open_dataset(data, video=models[0].settings.extract.video)
    games = _common_games(dataset, runs)
    members = [
        _Member(run, model, dense_scores(model, run, games, split=VALID, features=features, decoder=decoder))
        for run, model in zip(runs, models, strict=True)
    ]
    whole = [game for game in games if all(game.id in member.dense for member in members)]
    labels = labels_of_games(whole)
    fastest = max(models, key=lambda model: model.settings.extract.clock_rate)
    peaks = fastest.untuned or fastest.settings.peaks
    actions = actions_of(models[0].classes)
    weights = _weigh(members, labels, actions, peaks)
    kept = [(member, weight) for member, weight in zip(members, weights, strict=True) if weight]
    found = tune(labels, _mean([m for m, _ in kept], [w for _, w in kept]), classes=actions, peaks=peaks)
    _tell(members, weights, labels, actions, peaks)
    show(found)
    with open_run(out, settings_yaml=to_yaml(fastest.settings)) as run:
        folders = [_copy(member.run, out, number) for number, (member, _) in enumerate(kept)]
        config: dict[str, Any] = {
            "format": FORMAT,
            "bas": bas.__version__,
            "reads": "runs",
            "members": [
                {"folder": folder, "weight": weight}
                for folder, (_, weight) in zip(folders, kept, strict=True)
            ],
            "classes": list(models[0].classes),
            "settings": fastest.settings.model_dump(mode="json"),
            "metrics": {"validation mAP@1": found.mean_before},
            "data": {"validation matches": len(whole)},
        }
        write_config(out, tuned(config, found))
        run.mark("done")
    console.say(f"{out} is finished. Next: bas eval --run {out}")
    return out


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


def _weigh(
    members: Sequence[_Member],
    labels: Mapping[str, Sequence[Spot]],
    actions: Sequence[str],
    peaks: PeaksSettings,
) -> list[float]:
    """Weights with the best exact mAP@1 of a few picks, one member at a time; all alike unless that beats it."""
    even = [1 / len(members)] * len(members)
    best_score, best = _exact(_mean(members, even), labels, actions, peaks), even
    picks = np.zeros(len(members))
    with console.progress("weights", _PICKS, unit="picks") as advance:
        for _ in range(_PICKS):
            tried = [picks + pick for pick in np.eye(len(members))]
            shares = [(one / one.sum()).tolist() for one in tried]
            scores = [_exact(_mean(members, one), labels, actions, peaks) for one in shares]
            chosen = int(np.argmax(scores))
            picks = tried[chosen]
            if scores[chosen] > best_score + _EQUAL:
                best_score, best = scores[chosen], shares[chosen]
            advance()
    return best


def _exact(
    dense: Dense, labels: Mapping[str, Sequence[Spot]], actions: Sequence[str], peaks: PeaksSettings
) -> float:
    return float(np.mean([score_action(watch(labels, dense, a), peaks.of(a)).exact for a in actions]))


def _mean(members: Sequence[_Member], weights: Sequence[float]) -> dict[str, dict[int, Scores]]:
    games = [game for game in members[0].dense if all(game in member.dense for member in members)]
    return {
        game: {
            half: mean_scores([member.dense[game][half] for member in members], weights)
            for half in members[0].dense[game]
        }
        for game in games
    }


def _copy(run: Path, out: Path, number: int) -> str:
    """Copy what makes a model, and name its folder relative to `out`."""
    folder = f"members/{number}-{run.resolve().name}"
    for name in MODEL_FILES:
        atomic_write(out / folder / name, (run / name).read_bytes())
    return folder


def _tell(
    members: Sequence[_Member],
    weights: Sequence[float],
    labels: Mapping[str, Sequence[Spot]],
    actions: Sequence[str],
    peaks: PeaksSettings,
) -> None:
    title = f"merged, validation games: {len(labels)}, before post-processing is tuned"
    table = console.table(title, "run", "weight", "mAP@1 exact")
    for member, weight in zip(members, weights, strict=True):
        alone = _exact(_mean([member], [1.0]), labels, actions, peaks)
        table.add_row(str(member.run), f"{weight:.2f}", f"{100 * alone:.2f}")
    table.add_row("all", "", f"{100 * _exact(_mean(members, weights), labels, actions, peaks):.2f}")
    console.show(table)
