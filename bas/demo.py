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
from bas.heads.compare import Comparison, compare
from bas.heads.finetune_run import finetune
from bas.heads.lessons import Place
from bas.heads.models import settings_of
from bas.heads.run import fit
from bas.heads.spot import predictions_folder
from bas.synthetic import synthesize
from bas.types import Game

_MATCHES, _MINUTES, _SIZE, _SEED = 8, 2.0, "224x128", 1
_HEAD, _PRESET, _FEWER, _LONG, _SPLIT = "netvlad", "tiny", "fit.samples=3000", "finetune.clip_rows=63", "test"


def run_demo(out: Path, *, device: str) -> None:
    """Render, extract, fit and score the held-out matches, all below `out`; what is there is kept."""
    data, features, runs = out / "data", out / "features", out / "runs"
    where = f"--data {quote(str(data))} --features {quote(str(features))}"
    _step(
        1,
        "render eight matches with labels",
        f"synth {quote(str(data))} --matches {_MATCHES} --minutes {_MINUTES} --size {_SIZE} --profile even --seed {_SEED}",
    )
    synthesize(data, matches=_MATCHES, minutes=_MINUTES, size=_SIZE, profile="even", seed=_SEED)
    _step(
        2,
        "cache a feature row for every second frame, then fit a head on the rows",
        f"fit-head {_HEAD} --preset {_PRESET} --set {_FEWER} {where} --out {quote(str(runs))}",
    )
    place = Place(data, features, runs, device, "auto")
    fitted = fit(load("heads", head=_HEAD, preset=_PRESET, sets=[_FEWER]), place)
    _step(3, "score the held-out matches", f"eval --run {quote(str(fitted))} {where} --split {_SPLIT}")
    evaluation = evaluate_run(fitted, data=data, features=features, split=_SPLIT, device=device)
    _step(
        4,
        "unfreeze the encoder, and train it and the head together on clips of five seconds",
        f"finetune-e2e --run {quote(str(fitted))} --preset {_PRESET} --set {_LONG} --data {quote(str(data))} "
        f"--out {quote(str(runs))}",
    )
    settings = load("finetune", base=settings_of(fitted), preset=_PRESET, sets=[_LONG])
    run = finetune(fitted, settings, place)
    _step(
        5, "score the same matches, and draw a page", f"eval --run {quote(str(run))} {where} --split {_SPLIT}"
    )
    evaluate_run(run, data=data, features=features, split=_SPLIT, device=device)
    _step(6, "put both beside each other", f"compare {quote(str(fitted))} {quote(str(run))} {where}")
    comparison = compare([fitted, run], data=data, features=features, split=_SPLIT, device=device)
    games = open_dataset(data, video=settings.extract.video).split(_SPLIT)
    _show(comparison, _chance(evaluation, games, run=fitted))
    model, video = quote(str(run)), quote(str(games[0].videos[0].path))
    console.say(
        f"\nEverything is in {out}. What to try next:\n"
        f"  bas predict {video} --model {model}\n"
        f"  bas eval --run {model} {where} --tolerance tight\n"
        f"  bas fit-head {_HEAD} --preset {_PRESET} {where} --out {quote(str(runs))} "
        "--set head.window_seconds=1\n"
        "Your own matches: README.md, from `On SoccerNet's matches` on.\n"
        f"The page about the joint finetune: {predictions_folder(run, _SPLIT)}/report.html"
    )


def _step(number: int, what: str, command: str) -> None:
    console.say(f"\n{number}. {what}\n   $ bas {command}\n")


def _chance(evaluation: Evaluation, games: Sequence[Game], *, run: Path) -> Chance:
    """What as many guesses a class would score on the same matches."""
    scores = {game.id: read_scores(predictions_folder(run, _SPLIT) / game.id / SCORES_FILE) for game in games}
    return chance(
        labels_of_games(games),
        counts={row.label: row.num_detections for row in evaluation.rows},
        num_frames={game: {half: len(s.values) for half, s in of.items()} for game, of in scores.items()},
        fps=next(s.fps for of in scores.values() for s in of.values()),
    )


def _show(comparison: Comparison, blind: Chance) -> None:
    """The three numbers beside each other."""
    frozen, joint = comparison.contestants
    assert joint.difference is not None
    table = console.table("Held-out matches, in percent", "", "mAP@1", "paired difference, 95 %")
    table.add_row(f"chance, 95th percentile of {blind.runs} runs", f"{100 * blind.mean_ap:.2f}", "")
    table.add_row("frozen encoder + head", f"{100 * frozen.mean_ap:.2f}", "")
    difference = f"{100 * joint.difference.low:+.1f} to {100 * joint.difference.high:+.1f}"
    table.add_row("joint finetune", f"{100 * joint.mean_ap:.2f}", difference)
    console.show("", table)
