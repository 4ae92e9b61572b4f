"""What a run's model says of a split: read where it is there and up to date, predicted where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.evaluate.run import write_predictions
from bas.evaluate.soccernet import RESULTS_FILE
from bas.extract.decode import Decoder
from bas.heads.material import with_rows
from bas.heads.merged import Spotter, load_spotter
from bas.heads.spot import model_rows, predictions_folder, require_classes
from bas.types import Game


@dataclass(frozen=True, slots=True)
class Predicted:
    """The predictions of one split, on disk."""

    folder: Path
    """`<folder>/<game>/` holds what `bas eval` writes of a game."""
    games: tuple[Game, ...]
    """In the order of the split."""
    model: Spotter


def predictions_of(
    run: Path, *, data: Path, features: Path, split: str, device: str, decoder: Decoder = "auto"
) -> Predicted:
    """The predictions of a run for a split, made first where a game has none newer than the model.

    Raises:
        MissingError, DataError: the model, a match or a video is not there, or wrong.
    """
    model = load_spotter(run, device=device)
    dataset = open_dataset(data, video=model.settings.extract.video)
    require_classes(model, dataset, run=run)
    games = dataset.split(split, need_videos=False)
    folder = predictions_folder(run, split)
    if up_to_date([folder / game.id / RESULTS_FILE for game in games], model=run):
        console.say(f"Predictions of {len(games)} {split} matches: {folder}.")
        return Predicted(folder, games, model)
    console.say(f"{run} predicts {len(games)} {split} matches of {data}; rows in {features}, on {device}.")
    games = dataset.split(split)
    caches = model_rows(model, games, features=features, decoder=decoder)
    games = with_rows(games, caches)
    write_predictions(model, games, caches, peaks=model.settings.peaks, out=folder, split=split)
    return Predicted(folder, games, model)


def up_to_date(paths: Sequence[Path], *, model: Path) -> bool:
    """Whether all of these files are there and newer than the model in a folder."""
    if not all(path.is_file() for path in paths):
        return False
    model_ns = (model / "config.json").stat().st_mtime_ns  # which is written last
    return all(path.stat().st_mtime_ns > model_ns for path in paths)
