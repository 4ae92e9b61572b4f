"""Predictions of a run for a split: reused if this model made them, otherwise predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.evaluate.predictions import write_predictions
from bas.extract.decode.frames import Decoder
from bas.heads.inference.ensemble import VideoModel, load_video_model
from bas.heads.inference.predictor import features_for, predictions_folder, require_classes
from bas.heads.inference.provenance import invalidate, provenance_of
from bas.heads.training.dataset import games_with_features
from bas.types import Game


@dataclass(frozen=True, slots=True)
class SplitPredictions:
    """Predictions of one split on disk."""

    folder: Path
    """`<folder>/<game>/` holds the files that `bas eval` writes for a game."""
    games: tuple[Game, ...]
    """Games with predictions, in the order of the split."""
    model: VideoModel


def predict_split(
    run: Path,
    *,
    data: Path,
    features: Path,
    split: str,
    device: str,
    decoder: Decoder = "auto",
    flip: bool = False,
) -> SplitPredictions:
    """The predictions of a run for a split; predicted again unless this model made all that are stored.

    Args:
        flip: average the scores of the original and the mirrored view.

    Raises:
        MissingError, DataError: the model, a match or a video is missing or invalid.
    """
    model = load_video_model(run, device=device)
    dataset = open_dataset(data, video=model.settings.extract.video)
    require_classes(model, dataset, run=run)
    games = dataset.split(split, need_videos=False)
    folder, maker = predictions_folder(run, split, flip=flip), provenance_of(model, flip=flip)
    if all(maker.has_events(folder / game.id, game) for game in games):
        console.info(f"Using the predictions of {len(games)} {split} matches in {folder}.")
        return SplitPredictions(folder, games, model)
    console.info(
        f"Predicting {len(games)} {split} matches in {data} with {run}; features in {features}; device {device}."
    )
    games = dataset.split(split)
    caches = features_for(model, games, features=features, decoder=decoder, flip=flip)
    games = games_with_features(games, caches)
    for game in games:
        invalidate(folder / game.id)
    write_predictions(model, games, caches, peaks=model.settings.peaks, out=folder, split=split)
    for game in games:
        maker.record(folder / game.id, game)
    return SplitPredictions(folder, games, model)
