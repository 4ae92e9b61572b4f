"""`bas demo`: the whole pipeline on synthetic matches, printing the equivalent command of each step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from bas import console
from bas.commands.scoring.compare import Comparison, compare
from bas.commands.scoring.evaluate import evaluate_run
from bas.commands.training.finetune import finetune
from bas.commands.training.fit_head import fit
from bas.config import load
from bas.dataset import open_dataset
from bas.evaluate.analysis.chance_baseline import TRIALS, chance_of
from bas.evaluate.dense_scores import SCORES_FILE, read_scores
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scoring.score import Evaluation
from bas.heads.inference.predictor import predictions_folder
from bas.heads.interop.model_folder import load_settings
from bas.synthetic import synthesize
from bas.types import Game
from bas.workspace import Workspace

_MATCHES, _MINUTES, _SIZE, _SEED = 8, 2.0, "224x128", 1
_HEAD, _PRESET, _FEWER_SAMPLES, _LONGER_CLIPS, _SPLIT = (
    "netvlad",
    "tiny",
    "fit.samples=3000",
    "finetune.clip_rows=63",
    "test",
)


def run_demo(out: Path, *, device: str) -> None:
    """Render, extract, train and score the held-out matches, all below `out`; finished steps are reused."""
    data, features, runs = out / "data", out / "features", out / "runs"
    where = f"--data {quote(str(data))} --features {quote(str(features))}"
    _step(
        1,
        "render eight synthetic matches with labels",
        f"synth {quote(str(data))} --matches {_MATCHES} --minutes {_MINUTES} --size {_SIZE} --profile even --seed {_SEED}",
    )
    synthesize(data, matches=_MATCHES, minutes=_MINUTES, size=_SIZE, profile="even", seed=_SEED)
    _step(
        2,
        "cache the features of every second frame, then fit a head on them",
        f"fit-head {_HEAD} --preset {_PRESET} --set {_FEWER_SAMPLES} {where} --out {quote(str(runs))}",
    )
    workspace = Workspace(data, features, runs, device, "auto")
    fitted = fit(load("heads", head=_HEAD, preset=_PRESET, sets=[_FEWER_SAMPLES]), workspace)
    _step(3, "score the held-out matches", f"eval --run {quote(str(fitted))} {where} --split {_SPLIT}")
    evaluation = evaluate_run(fitted, workspace, split=_SPLIT)
    _step(
        4,
        "unfreeze the encoder and finetune it with the head on clips of five seconds",
        f"finetune-e2e --run {quote(str(fitted))} --preset {_PRESET} --set {_LONGER_CLIPS} --data {quote(str(data))} "
        f"--out {quote(str(runs))}",
    )
    settings = load("finetune", base=load_settings(fitted), preset=_PRESET, sets=[_LONGER_CLIPS])
    run = finetune(fitted, settings, workspace)
    _step(
        5,
        "score the same matches and write the report page",
        f"eval --run {quote(str(run))} {where} --split {_SPLIT}",
    )
    evaluate_run(run, workspace, split=_SPLIT)
    _step(6, "compare both runs", f"compare {quote(str(fitted))} {quote(str(run))} {where}")
    comparison = compare([fitted, run], workspace, split=_SPLIT)
    games = open_dataset(data, video=settings.extract.video).split(_SPLIT)
    _show(comparison, _chance(evaluation, games, run=fitted))
    model, video = quote(str(run)), quote(str(games[0].videos[0].path))
    console.info(
        f"\nEverything is in {out}. Next steps:\n"
        f"  bas predict {video} --model {model}\n"
        f"  bas eval --run {model} {where} --tolerance tight\n"
        f"  bas fit-head {_HEAD} --preset {_PRESET} {where} --out {quote(str(runs))} "
        "--set head.window_seconds=1\n"
        "To use SoccerNet or your own matches, see README.md.\n"
        f"Report on the finetuned run: {predictions_folder(run, _SPLIT)}/report.html"
    )


def _step(number: int, what: str, command: str) -> None:
    console.info(f"\n{number}. {what}\n   $ bas {command}\n")


def _chance(evaluation: Evaluation, games: Sequence[Game], *, run: Path) -> float:
    """mAP of random guesses, as many per class as detections, on the same matches."""
    scores = {game.id: read_scores(predictions_folder(run, _SPLIT) / game.id / SCORES_FILE) for game in games}
    return chance_of(evaluation, labels_of_games(games), scores)


def _show(comparison: Comparison, chance: float) -> None:
    """Print chance, the frozen run and the finetuned run in one table."""
    frozen, joint = comparison.results
    assert joint.difference is not None
    table = console.table("Held-out matches, in percent", "", "mAP@1", "paired difference, 95 % interval")
    table.add_row(f"chance, 95th percentile of {TRIALS} trials", f"{100 * chance:.2f}", "")
    table.add_row("frozen encoder + head", f"{100 * frozen.mean_ap:.2f}", "")
    difference = f"{100 * joint.difference.low:+.1f} to {100 * joint.difference.high:+.1f}"
    table.add_row("joint finetune", f"{100 * joint.mean_ap:.2f}", difference)
    console.show("", table)
