"""The one way from a model and games to feature rows, scores, detections and files.

Inference is a ladder, and each rung can be used alone:

    pictures -> feature rows    Stacker.encode
    video -> feature rows       features_for, cached
    feature rows -> scores      Stacker.scores, Ensemble.scores
    scores -> detections        bas.evaluate.postprocess.detect
    video -> detections         predict
    video, games -> files       Predictor.write_video, Predictor.write

Every command that predicts goes through `Predictor`, so that each guard stands once: class lists agree, games that
the model was trained on are named, and stored predictions are reused only if this model made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bas import console
from bas.config import PostprocessSettings
from bas.config.base import Decoder
from bas.dataset import Dataset, open_dataset
from bas.evaluate.dense_scores import SCORES_FILE, read_scores
from bas.evaluate.formats.exports import write_osl
from bas.evaluate.formats.osl import PredictedGame
from bas.evaluate.postprocess.detections import detect
from bas.evaluate.predictions import write_game
from bas.extract.extract import games_with_features
from bas.heads.inference.ensemble import VideoModel, flip_averaged, load_video_model, require_video_model
from bas.heads.inference.features import features_for, lead_ms_of
from bas.heads.inference.guards import require_classes, warn_of_leakage
from bas.heads.inference.provenance import Provenance, invalidate, provenance_of
from bas.heads.inference.single_video import video_game
from bas.heads.models.stacker import FeatureModel
from bas.messages import counted
from bas.types import Detection, Game, Scores
from bas.vocabulary import actions_of
from bas.workspace import Workspace


@dataclass(frozen=True)
class Predictor:
    """A model from disk, and the workspace in which it predicts."""

    folder: Path
    """Folder of the run or model."""
    model: VideoModel
    workspace: Workspace
    provenance: Provenance
    flip: bool
    """Whether scores are averaged over the pictures and their mirror images."""
    postprocess: PostprocessSettings
    """Post-processing that turns scores into detections."""

    @property
    def actions(self) -> tuple[str, ...]:
        """The model's classes, without teams."""
        return actions_of(self.model.classes)

    @cached_property
    def dataset(self) -> Dataset:
        """The matches of the workspace, checked to be labeled with the model's classes.

        Raises:
            MissingError: there are no matches.
            DataError: they are labeled with other classes.
        """
        dataset = open_dataset(self.workspace.data, video=self.model.settings.extract.video)
        require_classes(self.model.classes, dataset, run=self.folder)
        return dataset

    def games(self, split: str, *, need_videos: bool = True) -> tuple[Game, ...]:
        """Games of a split, with a warning that names those the model was trained on. Raises as `dataset`."""
        games = self.dataset.split(split, need_videos=need_videos)
        warn_of_leakage(self.folder, games)
        return games

    def features(self, games: Sequence[Game]) -> tuple[tuple[Game, ...], Mapping[Path, Any]]:
        """Feature rows of games, extracted first where they are missing.

        Returns:
            The games that have rows of all their videos, and the rows by path of the video.

        Raises:
            DataError: no game is left, because of damaged videos.
        """
        features = self._features(games)
        return games_with_features(games, features), features

    def scores(self, game: Game, features: Mapping[Path, Any]) -> dict[int, Scores]:
        """Scores of every frame of a game, by half."""
        return {video.half: self.model.scores(features[video.path]) for video in game.videos}

    def dense_scores(self, games: Sequence[Game], *, split: str) -> dict[str, dict[int, Scores]]:
        """Scores of every frame by game id and half: stored ones if this model made them, else new ones.

        Raises as `features`.
        """
        stored = predictions_folder(self.folder, split, flip=self.flip)
        found = {
            game.id: read_scores(stored / game.id / SCORES_FILE)
            for game in games
            if self.provenance.has_scores(stored / game.id, game)
        }
        missing = [game for game in games if game.id not in found]
        if not missing:
            return found
        features = self._features(missing)
        complete = [game for game in missing if all(video.path in features for video in game.videos)]
        if not found:
            complete = list(games_with_features(missing, features))  # none at all is an error
        with console.progress(f"scoring with {self.folder.name}", len(complete), unit="games") as advance:
            for game in complete:
                found[game.id] = self.scores(game, features)
                advance(note=game.id)
        return found

    def write_games(self, games: Sequence[Game], out: Path) -> list[PredictedGame]:
        """Predict games and write the files of each to `<out>/<game>/`; they count only once `record`ed.

        Returns:
            The detections of the games that have rows of all their videos.

        Raises as `features`.
        """
        games, features = self.features(games)
        for game in games:
            invalidate(out / game.id)
        predicted = []
        with console.progress("scoring", len(games), unit="games") as advance:
            for game in games:
                predicted.append(self._write(out / game.id, game, features))
                advance(note=game.id)
        return predicted

    def write(self, games: Sequence[Game], out: Path, *, split: str) -> tuple[Game, ...]:
        """Predict games and write all files: those of each game, and `osl.json` for all of them.

        Returns:
            The games that have rows of all their videos.

        Raises as `features`.
        """
        predicted = self.write_games(games, out)
        write_osl(out, predicted, classes=self.actions, split=split)
        for one in predicted:
            self.provenance.record(out / one.game.id, one.game)
        return tuple(one.game for one in predicted)

    def predict_split(self, split: str) -> tuple[tuple[Game, ...], Path]:
        """Predict a split, unless this model made all the predictions that are stored.

        Returns:
            The predicted games, and the folder with their files in `<folder>/<game>/`.

        Raises as `games` and `features`.
        """
        games = self.games(split, need_videos=False)
        folder = predictions_folder(self.folder, split, flip=self.flip)
        if all(self.provenance.has_detections(folder / game.id, game) for game in games):
            console.info(f"Using the predictions of {counted(len(games), f'{split} match')} in {folder}.")
            return games, folder
        console.info(
            f"Predicting {counted(len(games), f'{split} match')} in {self.workspace.data} with "
            f"{self.folder}; features in "
            f"{self.workspace.features}; device {self.workspace.device}."
        )
        return self.write(self.dataset.split(split), folder, split=split), folder

    def write_video(self, game: Game, out: Path) -> PredictedGame:
        """Predict one video, a `video_game`, as far as it can be decoded; write all its files to `out`.

        Its feature rows are cached there too, not in the workspace.

        Raises:
            DataError: the video holds no picture.
        """
        invalidate(out)
        features = features_for(
            self.model, [game], features=out / "features", decoder=self.workspace.decoder, lone=True
        )
        games_with_features([game], features)
        predicted = self._write(out, game, features)
        write_osl(out, [predicted], classes=self.actions)
        self.provenance.record(out, game)
        return predicted

    def _features(self, games: Sequence[Game]) -> dict[Path, Any]:
        where = self.workspace
        return features_for(self.model, games, features=where.features, decoder=where.decoder)

    def _write(self, folder: Path, game: Game, features: Mapping[Path, Any]) -> PredictedGame:
        return write_game(
            folder,
            game,
            self.scores(game, features),
            actions=self.actions,
            postprocess=self.postprocess,
            leads_ms={video.half: lead_ms_of(video.path, features[video.path]) for video in game.videos},
        )


def load_predictor(
    folder: Path, workspace: Workspace, *, flip: bool = False, postprocess: PostprocessSettings | None = None
) -> Predictor:
    """Load the model in a run or model folder onto the device of a workspace.

    Args:
        folder: folder of the run or model.
        workspace: matches, feature caches, device and decoder.
        flip: average the scores over the pictures and their mirror images.
        postprocess: replaces the model's own post-processing.

    Raises:
        MissingError: the folder holds no model.
        DataError: the model is damaged, or does not take video.
    """
    model: VideoModel = load_video_model(folder, device=workspace.device)
    provenance = provenance_of(folder, flip=flip)
    if postprocess is not None:
        provenance = replace(provenance, postprocess=postprocess.model_dump(mode="json"))
    return Predictor(
        folder=folder,
        model=flip_averaged(model) if flip else model,
        workspace=workspace,
        provenance=provenance,
        flip=flip,
        postprocess=postprocess or model.settings.peaks,
    )


def predict(
    video: str | Path,
    model: VideoModel | FeatureModel,
    *,
    features: str | Path = "features",
    decoder: Decoder = "auto",
    flip: bool = False,
) -> list[Detection]:
    """Detect the actions in one video, in order of time.

    Args:
        video: any video of a match; no dataset is needed.
        model: from `load_model`.
        features: folder in which the feature rows of the video are cached, so that a second call is fast.
        decoder: video decoder; auto takes NVDEC if it works.
        flip: average the scores of the pictures and of their mirror images.

    Raises:
        MissingError, DataError: the video is missing or damaged, or the model does not take video.
    """
    model = require_video_model(model)
    path, game = Path(video), video_game(Path(video))
    model = flip_averaged(model) if flip else model
    found = features_for(model, [game], features=Path(features), decoder=decoder, lone=True)
    games_with_features([game], found)
    return detect(model.scores(found[path]), model.settings.peaks)


def predictions_folder(run: Path, split: str, *, flip: bool = False) -> Path:
    """Folder in a run for its predictions of a split."""
    return run / "predictions" / (f"{split}-flip" if flip else split)
