"""Training sets: rows of annotated videos with their targets and sampling probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from bas.config import FitSettings
from bas.errors import DataError, MissingError
from bas.evaluate.dense_scores import SCORES_FILE, read_scores
from bas.extract.cache.reader import FeatureCache
from bas.heads.training.feature_bank import FeatureBank
from bas.heads.training.sampling import OutOfFold, balance_classes, sampling_probabilities
from bas.heads.training.targets import Targets, concatenate_targets, near_spots, row_targets
from bas.messages import counted
from bas.types import Game, Spot, Video
from bas.vocabulary import output_of


@dataclass(frozen=True, slots=True)
class AnnotatedVideo:
    """One video of a game as rows on the model's clock, with its annotations."""

    game: Game
    video: Video
    spots: tuple[Spot, ...]
    hop: int
    """Frames between neighboring rows."""
    rate: Fraction
    """Frames per second."""
    valid: Bool[np.ndarray, "rows"]
    """Whether all pictures of a row are valid."""

    @property
    def frames(self) -> Int64[np.ndarray, "rows"]:
        """Frame of each row."""
        return np.arange(len(self.valid)) * self.hop


@dataclass(frozen=True, slots=True)
class CachedVideo(AnnotatedVideo):
    """A video whose rows come from the cache."""

    cache: FeatureCache


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Numbered rows of several videos with their targets and sampling probabilities."""

    outputs: tuple[str, ...]
    """Names of the class logits that the label columns belong to."""
    spot_counts: Mapping[str, int]
    """Number of annotated actions of each output."""
    bank: FeatureBank
    mirrored: FeatureBank | None
    """Features of the same rows from mirrored pictures; None without that augmentation."""
    targets: Targets
    valid: Bool[np.ndarray, "rows"]
    """Whether all pictures of a row are valid."""
    probabilities: Float64[np.ndarray, "rows"]
    """Sampling probability of each row; without `class_probability`, every video has the same total."""


def build_training_set(
    videos: Sequence[CachedVideo],
    outputs: Sequence[str],
    settings: FitSettings,
    *,
    mirrored: Mapping[Path, FeatureCache] | None = None,
    out_of_fold: Path | None = None,
) -> TrainingSet:
    """Build the training set of all rows of `videos`.

    Args:
        videos: videos with their caches and annotations.
        outputs: names of the head's class logits.
        settings: settings of targets and sampling.
        mirrored: caches of the mirrored view by video path.
        out_of_fold: folder with the scores of models that were not trained on these games, by game.

    Raises:
        DataError: no valid row of any video is near an action.
        MissingError: a game has no out-of-fold scores.
    """
    targets, probabilities = targets_and_probabilities(videos, outputs, settings, out_of_fold=out_of_fold)
    spot_counts = Counter(output_of(spot, outputs) for video in videos for spot in video.spots)
    return TrainingSet(
        tuple(outputs),
        spot_counts,
        FeatureBank([video.cache.features for video in videos]),
        FeatureBank([mirrored[video.video.path].features for video in videos]) if mirrored else None,
        concatenate_targets(targets),
        np.concatenate([video.valid for video in videos]),
        probabilities,
    )


def targets_and_probabilities(
    videos: Sequence[AnnotatedVideo],
    outputs: Sequence[str],
    settings: FitSettings,
    *,
    out_of_fold: Path | None = None,
) -> tuple[list[Targets], Float64[np.ndarray, "rows"]]:
    """Targets of the rows of each video, and the sampling probabilities of the rows of all videos.

    Raises:
        DataError: no valid row of any video is near an action.
        MissingError: a game has no out-of-fold scores.
    """
    targets, near, weights = [], [], []
    for video in videos:
        targets.append(_targets(video, outputs, settings, window=settings.target_window))
        # `action_window` decides which rows are sampled as near an action, `target_window` which are labeled.
        close = _near(video, window=settings.action_window)
        near.append(close & video.valid)
        weights.append(
            sampling_probabilities(
                close,
                action_probability=settings.action_probability,
                usable=video.valid,
                out_of_fold=_out_of_fold_scores(video, out_of_fold, settings) if out_of_fold else None,
            )
        )
    if not np.concatenate(near).any():
        raise DataError(
            f"No labeled action on a valid picture in {counted(len(videos), 'training video')}, so there "
            "is nothing to "
            "train on. Check the labels with bas doctor DATA."
        )
    # Each video's probabilities sum to 1, or to 0 if it has no valid row.
    probabilities = np.concatenate(weights) / sum(float(w.sum()) for w in weights)
    if settings.class_probability:
        by_class = [
            _targets(video, outputs, settings, window=settings.action_window).labels > 0 for video in videos
        ]
        # Invalid rows are never sampled, so they must not count among the rows of a class.
        near_class = np.concatenate(by_class) & np.concatenate(near)[:, None]
        probabilities = balance_classes(probabilities, near_class, share=settings.class_probability)
    return targets, probabilities


def out_of_fold_file(folder: Path, game: Game) -> Path:
    """Path of the scores of a game by a model that was not trained on it.

    Raises:
        MissingError: the file does not exist.
    """
    file = folder / game.id / SCORES_FILE
    if not file.is_file():
        raise MissingError(
            f"Missing out-of-fold scores of {game.id}: {file} does not exist. Compute them for all training "
            f"matches with bas fit-head HEAD --fold all, or remove fit.out_of_fold={folder}."
        )
    return file


def _targets(video: AnnotatedVideo, outputs: Sequence[str], settings: FitSettings, *, window: int) -> Targets:
    return row_targets(
        video.spots,
        outputs,
        frames=video.frames,
        rate=video.rate,
        hop=video.hop,
        window=window,
        displacement_window=settings.displacement_window,
    )


def _near(video: AnnotatedVideo, *, window: int) -> Bool[np.ndarray, "rows"]:
    return near_spots(video.spots, frames=video.frames, rate=video.rate, window=window)


def _out_of_fold_scores(video: AnnotatedVideo, folder: Path, settings: FitSettings) -> OutOfFold:
    file = out_of_fold_file(folder, video.game)
    scores = read_scores(file)[video.video.half].values.max(axis=1)
    if len(scores) <= video.frames[-1]:
        raise DataError(
            f"{file} has {len(scores)} frames, but the rows of {video.video.path} extend to frame {video.frames[-1]}: "
            "the scores belong to another video. Run bas fit-head HEAD --fold all again."
        )
    return OutOfFold(
        scores[video.frames].astype(np.float64), _near(video, window=settings.hard_negative_margin)
    )
