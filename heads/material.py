"""What a head trains on: rows, what they should say, and how often each is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from bas import console
from bas.config import FitSettings
from bas.errors import DataError
from bas.extract.cache import FeatureCache
from bas.heads.sampling import sampling_weights
from bas.heads.targets import near_any, row_targets
from bas.heads.windows import RowBank
from bas.types import Game, Spot, Video


@dataclass(frozen=True, slots=True)
class CachedVideo:
    """One video of a game with its rows and what was annotated in it."""

    game: Game
    video: Video
    cache: FeatureCache
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """Numbered rows of many videos with their targets and weights."""

    bank: RowBank
    targets: Float32[np.ndarray, "rows outputs"]
    weights: Float64[np.ndarray, "rows"]
    """Probability of drawing each row; every video has the same share."""


def with_rows(games: Sequence[Game], caches: Mapping[Path, FeatureCache]) -> tuple[Game, ...]:
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


def cached_videos(
    games: Sequence[Game], caches: Mapping[Path, FeatureCache], labels: Mapping[str, Sequence[Spot]]
) -> list[CachedVideo]:
    """Every video of `games` with its cache and the spots of its half.

    Args:
        games: in the order that the videos are to stand in.
        caches: by path of the video.
        labels: by game.
    """
    return [
        CachedVideo(
            game, video, caches[video.path], tuple(s for s in labels[game.id] if s.half == video.half)
        )
        for game in games
        for video in game.videos
    ]


def gather_material(videos: Sequence[CachedVideo], outputs: Sequence[str], settings: FitSettings) -> Material:
    """Lay out the training rows of `videos`.

    Raises:
        DataError: no row of any video is near an action.
    """
    teams = settings.teams == "classes"
    targets, weights, near_rows = [], [], 0
    for video in videos:
        cache = video.cache
        frames = np.arange(len(cache.features)) * cache.hop
        near = near_any(video.spots, frames=frames, rate=cache.rate, window=settings.action_window)
        targets.append(
            row_targets(
                video.spots,
                outputs,
                frames=frames,
                rate=cache.rate,
                window=settings.target_window,
                teams=teams,
            )
        )
        weights.append(
            sampling_weights(near, action_probability=settings.action_probability, usable=cache.valid)
        )
        near_rows += int((near & cache.valid).sum())
    if not near_rows:
        raise DataError(
            f"None of the {len(videos)} training videos has a labeled action on a picture that is there: "
            "there is nothing to learn from. Check the labels: bas doctor DATA."
        )
    return Material(
        RowBank([video.cache.features for video in videos]),
        np.concatenate(targets),
        np.concatenate(weights) / sum(float(w.sum()) for w in weights),
    )
