"""A finished model at work: on the matches of a split, to be scored, or on any one video."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.clock import game_time, position_of
from bas.dataset import open_dataset
from bas.evaluate.peaks import actions_of
from bas.evaluate.predict import slide
from bas.evaluate.run import evaluate_model, write_game
from bas.evaluate.score import Evaluation
from bas.extract.cache import FeatureCache
from bas.extract.decode import Decoder
from bas.extract.run import cached_rows
from bas.files import atomic_write
from bas.heads.models import load_model
from bas.heads.stacker import Stacker
from bas.types import Detection, Game

_SHOWN = 20  # events that the terminal table holds


def evaluate_run(
    run: Path,
    *,
    data: Path,
    features: Path,
    split: str,
    tolerance: str,
    out: Path | None,
    json: Path | None,
    device: str,
    decoder: Decoder,
) -> Evaluation:
    """Write the predictions of a run's model for a split, score the files as the challenge does, and print.

    Args:
        run: folder of a finished run, or of a model.
        out: takes `<game>/results_spotting.json` and the dense scores; `predictions/<split>` in the run by default.
        json: takes the report; `report.json` beside the predictions by default.
    """
    model = load_model(run, device=device)
    games = open_dataset(data, video=model.settings.extract.video).split(split)
    caches = _rows(model, run, games, features=features, device=device, decoder=decoder)
    out = out or run / "predictions" / split
    return evaluate_model(
        model,
        games,
        caches,
        peaks=model.settings.peaks,
        out=out,
        tolerance=tolerance,
        split=split,
        json=json or out / "report.json",
    )


def predict_video(
    video: Path, model_folder: Path, *, out: Path, features: Path, device: str, decoder: Decoder
) -> list[Detection]:
    """Spot the actions of one video; SoccerNet JSON, CSV and dense scores go to `out`, a table to the terminal."""
    (game,) = open_dataset(video).games
    model = load_model(model_folder, device=device)
    caches = _rows(model, model_folder, [game], features=features, device=device, decoder=decoder)
    scores = slide(model, caches[video])
    events = write_game(
        out, game.id, {1: scores}, actions=actions_of(model.classes), peaks=model.settings.peaks
    )[1]
    atomic_write(out / "events.csv", _csv(events, model).encode())
    _show(events, model, out=out)
    return events


def _rows(
    model: Stacker, folder: Path, games: Sequence[Game], *, features: Path, device: str, decoder: Decoder
) -> dict[Path, FeatureCache]:
    """The rows that a model reads, by its own encoder; extracted first where they lack."""
    settings = model.settings.extract.model_copy(update={"weights": str(folder)})
    return cached_rows(games, settings, features=features, device=device, decoder=decoder)


def _csv(events: Sequence[Detection], model: Stacker) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["position_ms", "time", "frame", "label", "team", "confidence"])
    for event in events:
        position_ms = position_of(event.frame, model.settings.extract.clock_rate)
        time = game_time(1, position_ms).removeprefix("1 - ")
        table.writerow([position_ms, time, event.frame, event.label, event.team or "", f"{event.score:.4f}"])
    return text.getvalue()


def _show(events: Sequence[Detection], model: Stacker, *, out: Path) -> None:
    """The surest events in the order of time."""
    surest = sorted(events, key=lambda event: -event.score)[:_SHOWN]
    table = console.table(
        f"{len(events)} events, the {len(surest)} surest", "time", "action", "team", "confidence", left=3
    )
    for event in sorted(surest, key=lambda event: event.frame):
        position_ms = position_of(event.frame, model.settings.extract.clock_rate)
        time = f"{game_time(1, position_ms).removeprefix('1 - ')}.{position_ms % 1000 // 100}"
        table.add_row(time, event.label, event.team or "", f"{event.score:.2f}")
    console.show(table)
    console.say(f"All of them: {out}/results_spotting.json, {out}/events.csv")
