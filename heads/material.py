"""What a head trains on: rows, what they should say, and how often each is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64

from bas import console
from bas.config import FitSettings
from bas.errors import DataError, MissingError
from bas.evaluate.dense import SCORES_FILE, read_scores
from bas.extract.cache import FeatureCache
from bas.heads.sampling import Suspects, class_first, sampling_weights
from bas.heads.targets import Targets, join, near_spots, output_of, row_targets
from bas.heads.windows import RowBank
from bas.types import Game, Spot, Video


@runtime_checkable
class LabeledRows(Protocol):
    """One video of a game laid out in rows, and what was annotated in it."""

    @property
    def game(self) -> Game: ...
    @property
    def video(self) -> Video: ...
    @property
    def spots(self) -> tuple[Spot, ...]: ...
    @property
    def hop(self) -> int:
        """Ticks from one row to the next."""

    @property
    def rate(self) -> Fraction:
        """Ticks a second."""

    @property
    def valid(self) -> Bool[np.ndarray, "rows"]:
        """Whether a row has its pictures."""


@dataclass(frozen=True, slots=True)
class CachedVideo:
    """Rows from the cache."""

    game: Game
    video: Video
    cache: FeatureCache
    spots: tuple[Spot, ...]

    @property
    def hop(self) -> int:
        """Ticks from one row to the next."""
        return self.cache.hop

    @property
    def rate(self) -> Fraction:
        """Ticks a second."""
        return self.cache.rate

    @property
    def valid(self) -> Bool[np.ndarray, "rows"]:
        """Whether a row has its pictures."""
        return self.cache.valid


@dataclass(frozen=True, slots=True)
class Material:
    """Numbered rows of many videos with their targets and weights."""

    outputs: tuple[str, ...]
    """Class logits that the labels belong to."""
    spots: Mapping[str, int]
    """Annotated actions of each output."""
    bank: RowBank
    mirrored: RowBank | None
    """The same rows of the mirrored pictures."""
    targets: Targets
    valid: Bool[np.ndarray, "rows"]
    """Whether a row has its pictures."""
    weights: Float64[np.ndarray, "rows"]
    """Probability of drawing each row; but for `class_probability`, every video has the same share."""


def with_rows(games: Sequence[Game], caches: Mapping[Path, object]) -> tuple[Game, ...]:
    """The games of which every video has rows; damaged ones may have been left out (`on_bad_video`).

    Raises:
        DataError: there is none.
    """
    whole = tuple(game for game in games if all(video.path in caches for video in game.videos))
    left_out = "; ".join(game.id for game in games if game not in whole)
    if not whole:
        raise DataError(
            f"No match is left: the videos of {left_out} are damaged. Copy or download them again, or pass "
            "--set extract.on_bad_video=degrade to bas fit-head."
        )
    if left_out:
        console.warn(f"Left out, for a damaged video: {left_out}.")
    return whole


def gather_material(
    videos: Sequence[CachedVideo],
    outputs: Sequence[str],
    settings: FitSettings,
    *,
    mirrored: Mapping[Path, FeatureCache] | None = None,
    out_of_fold: Path | None = None,
) -> Material:
    """Lay out the training rows of `videos`.

    Args:
        videos: with their caches and annotations.
        outputs: class logits of the head.
        settings: of targets and sampling.
        mirrored: caches of the flipped view.
        out_of_fold: folder of the scores of models that never saw these videos, by game.

    Raises:
        DataError: no row of any video is near an action.
        MissingError: a game has no out-of-fold scores.
    """
    targets, weights = lay_out(videos, outputs, settings, out_of_fold=out_of_fold)
    names = Counter(output_of(spot, outputs) for video in videos for spot in video.spots)
    return Material(
        tuple(outputs),
        names,
        RowBank([video.cache.features for video in videos]),
        RowBank([mirrored[video.video.path].features for video in videos]) if mirrored else None,
        join(targets),
        np.concatenate([video.valid for video in videos]),
        weights,
    )


def lay_out(
    videos: Sequence[LabeledRows],
    outputs: Sequence[str],
    settings: FitSettings,
    *,
    out_of_fold: Path | None = None,
) -> tuple[list[Targets], Float64[np.ndarray, "rows"]]:
    """What every row of some videos should say, and the probability of drawing each row of all of them.

    Raises:
        DataError: no row of any video is near an action.
        MissingError: a game has no out-of-fold scores.
    """
    targets, near, weights = [], [], []
    for video in videos:
        targets.append(_targets(video, outputs, settings, window=settings.target_window))
        close = _near(video, window=settings.action_window)
        near.append(close & video.valid)
        weights.append(
            sampling_weights(
                close,
                action_probability=settings.action_probability,
                usable=video.valid,
                suspects=_suspects(video, out_of_fold, settings) if out_of_fold else None,
            )
        )
    if not np.concatenate(near).any():
        raise DataError(
            f"None of the {len(videos)} training videos has a labeled action on a picture that is there: "
            "there is nothing to learn from. Check the labels: bas doctor DATA."
        )
    drawn = np.concatenate(weights) / sum(float(w.sum()) for w in weights)
    if settings.class_probability:
        by_class = [
            _targets(video, outputs, settings, window=settings.action_window).labels > 0 for video in videos
        ]
        near_class = np.concatenate(by_class) & np.concatenate(near)[:, None]
        drawn = class_first(drawn, near_class, share=settings.class_probability)
    return targets, drawn


def out_of_fold_file(folder: Path, game: Game) -> Path:
    """The scores of a game by a model that never saw it.

    Raises:
        MissingError: there are none.
    """
    file = folder / game.id / SCORES_FILE
    if not file.is_file():
        raise MissingError(
            f"{file} is not there, so {game.id} has no out-of-fold scores. Make them for all training "
            f"matches with bas fit-head HEAD --fold all, or leave out fit.out_of_fold={folder}."
        )
    return file


def _targets(video: LabeledRows, outputs: Sequence[str], settings: FitSettings, *, window: int) -> Targets:
    return row_targets(
        video.spots,
        outputs,
        frames=_ticks(video),
        rate=video.rate,
        hop=video.hop,
        window=window,
        displacement_window=settings.displacement_window,
    )


def _near(video: LabeledRows, *, window: int) -> Bool[np.ndarray, "rows"]:
    return near_spots(video.spots, frames=_ticks(video), rate=video.rate, window=window)


def _ticks(video: LabeledRows) -> Int64[np.ndarray, "rows"]:
    return np.arange(len(video.valid)) * video.hop


def _suspects(video: LabeledRows, folder: Path, settings: FitSettings) -> Suspects:
    file = out_of_fold_file(folder, video.game)
    scores = read_scores(file)[video.video.half].values.max(axis=1)
    ticks = _ticks(video)
    if len(scores) <= ticks[-1]:
        raise DataError(
            f"{file} has {len(scores)} frames and the rows of {video.video.path} reach to frame {ticks[-1]}: the "
            "scores are of another video. Run bas fit-head HEAD --fold all again."
        )
    return Suspects(scores[ticks].astype(np.float64), _near(video, window=settings.clear_window))
