"""What a run's model says of a split: read where it is this model's, predicted where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.evaluate.run import write_predictions
from bas.extract.decode import Decoder
from bas.heads.made import forget, maker_of
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
    run: Path,
    *,
    data: Path,
    features: Path,
    split: str,
    device: str,
    decoder: Decoder = "auto",
    flip: bool = False,
) -> Predicted:
    """The predictions of a run for a split; those games are made anew whose predictions are not this model's.

    Args:
        flip: average the scores of the pictures and of their mirror images.

    Raises:
        MissingError, DataError: the model, a match or a video is not there, or wrong.
    """
    model = load_spotter(run, device=device)
    dataset = open_dataset(data, video=model.settings.extract.video)
    require_classes(model, dataset, run=run)
    games = dataset.split(split, need_videos=False)
    folder, maker = predictions_folder(run, split, flip=flip), maker_of(model, flip=flip)
    if all(maker.has_events(folder / game.id, game) for game in games):
        console.say(f"Predictions of {len(games)} {split} matches: {folder}.")
        return Predicted(folder, games, model)
    console.say(f"{run} predicts {len(games)} {split} matches of {data}; rows in {features}, on {device}.")
    games = dataset.split(split)
    caches = model_rows(model, games, features=features, decoder=decoder, flip=flip)
    games = with_rows(games, caches)
    for game in games:
        forget(folder / game.id)
    write_predictions(model, games, caches, peaks=model.settings.peaks, out=folder, split=split)
    for game in games:
        maker.record(folder / game.id, game)
    return Predicted(folder, games, model)
