"""Features and dense scores of games for a model, and where its predictions are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bas import console
from bas.config.base import Decoder
from bas.dataset import open_dataset
from bas.dataset.layouts import SPOTS
from bas.evaluate.predictions import write_predictions
from bas.evaluate.scores import SCORES_FILE, BothViews, Rows, read_scores, score_video
from bas.extract.cache.reader import FeatureCache
from bas.extract.extract import cached_features, games_with_features
from bas.heads.inference.ensemble import MergedModel, VideoModel, load_video_model
from bas.heads.inference.leakage import require_classes
from bas.heads.inference.provenance import invalidate, provenance_of
from bas.heads.models.stacker import Stacker
from bas.types import Game, Scores


def predictions_folder(run: Path, split: str, *, flip: bool = False) -> Path:
    """Folder in a run for its predictions of a split."""
    return run / "predictions" / (f"{split}-flip" if flip else split)


def sidecar_folder(video: Path) -> Path:
    """Folder beside a video for its predictions."""
    return video.with_name(video.name + SPOTS)


def features_for(
    model: VideoModel,
    games: Sequence[Game],
    *,
    features: Path,
    decoder: Decoder,
    flip: bool = False,
    degrade: bool = False,
) -> dict[Path, Rows]:
    """The features that a model reads, by path of the video; missing ones are extracted with its own encoder.

    Args:
        flip: also those of the mirrored view.
        degrade: use what a damaged video holds, with a warning, whatever the settings say.
    """
    if isinstance(model, MergedModel):
        each = [
            features_for(one, games, features=features, decoder=decoder, flip=flip, degrade=degrade)
            for one in model.members
        ]
        whole = [path for path in each[0] if all(path in caches for caches in each)]
        return {path: tuple(_of_one(caches[path]) for caches in each) for path in whole}
    view = partial(_view, model, games, features=features, decoder=decoder, degrade=degrade)
    seen = view(mirrored=False)
    if not flip:
        return dict(seen)
    mirrored = view(mirrored=True)
    return {path: BothViews(seen[path], mirrored[path]) for path in seen if path in mirrored}


def dense_scores(
    model: VideoModel, folder: Path, games: Sequence[Game], *, split: str, features: Path, decoder: Decoder
) -> dict[str, dict[int, Scores]]:
    """Scores of every frame, by game id and half; read from the run's folder if this model made those there.

    Raises:
        DataError: no game is left, because of damaged videos.
    """
    maker, stored = provenance_of(model), predictions_folder(folder, split)
    found = {
        game.id: read_scores(stored / game.id / SCORES_FILE)
        for game in games
        if maker.has_scores(stored / game.id, game)
    }
    missing = [game for game in games if game.id not in found]
    if not missing:
        return found
    caches = features_for(model, missing, features=features, decoder=decoder)
    with console.progress(f"scoring with {folder.name}", len(missing), unit="games") as advance:
        for game in games_with_features(missing, caches):
            found[game.id] = {video.half: score_video(model, caches[video.path]) for video in game.videos}
            advance(note=game.id)
    return found


def _view(
    model: Stacker,
    games: Sequence[Game],
    *,
    features: Path,
    decoder: Decoder,
    degrade: bool,
    mirrored: bool,
) -> dict[Path, FeatureCache]:
    assert model.folder is not None, "a model that was never saved has no encoder to extract with"
    own = model.settings.extract
    changes: dict[str, Any] = {"weights": str(model.folder), "flip": own.flip != mirrored}
    if degrade:
        changes["on_bad_video"] = "degrade"
    settings = own.model_copy(update=changes)
    return cached_features(games, settings, features=features, device=str(model.device), decoder=decoder)


def _of_one(caches: Rows) -> FeatureCache | BothViews:
    assert not isinstance(caches, tuple), "members are single models"
    return caches


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
