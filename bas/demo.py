"""`bas demo`: the whole pipeline on matches that do not exist, each step named by the command that does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from bas import console
from bas.config import load
from bas.dataset import open_dataset
from bas.evaluate.chance import Chance, chance
from bas.evaluate.dense import SCORES_FILE, read_scores
from bas.evaluate.run import labels_of_games
from bas.evaluate.score import Evaluation
from bas.heads.apply import evaluate_run
from bas.heads.lessons import Place
from bas.heads.run import fit
from bas.synthetic import synthesize
from bas.types import Game

_MATCHES, _MINUTES, _SIZE, _SEED = 6, 1.7, "224x128", 1
_HEAD, _PRESET, _FEWER, _SPLIT = "netvlad", "tiny", "fit.samples=3000", "test"


def run_demo(out: Path, *, device: str) -> None:
    """Render, extract, fit and score the held-out matches, all below `out`; what is there is kept."""
    data, features, runs = out / "data", out / "features", out / "runs"
    where = f"--data {quote(str(data))} --features {quote(str(features))}"
    _step(
        1,
        "render six matches with labels",
        f"synth {quote(str(data))} --matches {_MATCHES} --minutes {_MINUTES} --size {_SIZE} --profile even --seed {_SEED}",
    )
    synthesize(data, matches=_MATCHES, minutes=_MINUTES, size=_SIZE, profile="even", seed=_SEED)
    _step(
        2,
        "cache a feature row for every second frame, then fit a head on the rows",
        f"fit-head {_HEAD} --preset {_PRESET} --set {_FEWER} {where} --out {quote(str(runs))}",
    )
    settings = load("heads", head=_HEAD, preset=_PRESET, sets=[_FEWER])
    run = fit(settings, Place(data, features, runs, device, "auto"))
    _step(
        3,
        "score the held-out matches",
        f"eval --run {quote(str(run))} {where} --split {_SPLIT} --tolerance 1",
    )
    evaluation = evaluate_run(run, data=data, features=features, split=_SPLIT, device=device)
    games = open_dataset(data, video=settings.extract.video).split(_SPLIT)
    _compare(evaluation, _chance(evaluation, games, run=run))
    model, video = quote(str(run)), quote(str(games[0].videos[0].path))
    console.say(
        f"\nEverything is in {out}. What to try next:\n"
        f"  bas predict {video} --model {model}\n"
        f"  bas eval --run {model} {where} --tolerance tight\n"
        f"  bas fit-head {_HEAD} --preset {_PRESET} {where} --out {quote(str(runs))} "
        "--set head.window_seconds=1\n"
        "Your own matches: README.md, from `On SoccerNet's matches` on."
    )


def _step(number: int, what: str, command: str) -> None:
    console.say(f"\n{number}. {what}\n   $ bas {command}\n")


def _chance(evaluation: Evaluation, games: Sequence[Game], *, run: Path) -> Chance:
    """What as many guesses a class would score on the same matches."""
    scores = {game.id: read_scores(run / "predictions" / _SPLIT / game.id / SCORES_FILE) for game in games}
    return chance(
        labels_of_games(games),
        counts={row.label: row.num_detections for row in evaluation.rows},
        num_frames={game: {half: len(s.values) for half, s in of.items()} for game, of in scores.items()},
        fps=next(s.fps for of in scores.values() for s in of.values()),
    )


def _compare(evaluation: Evaluation, blind: Chance) -> None:
    table = console.table("Held-out matches, in percent", "", "mAP@1", "mean over classes that occur")
    table.add_row(
        f"chance, 95th percentile of {blind.runs} runs",
        f"{100 * blind.mean_ap:.2f}",
        f"{100 * blind.mean_ap_occurring:.2f}",
    )
    table.add_row(
        "frozen encoder + head",
        f"{100 * evaluation.mean_ap:.2f}",
        f"{100 * evaluation.mean_ap_occurring:.2f}",
    )
    console.show("", table)
