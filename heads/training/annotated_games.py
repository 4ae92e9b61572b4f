"""Annotated games of one label set with their cached features, for training and validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bas import console
from bas.config import ExtractSettings, Pipeline
from bas.dataset import Dataset, labels_of, require_left_right
from bas.errors import DataError
from bas.extract.bad_video import enforce_bad_video_policy
from bas.extract.cache.reader import FeatureCache
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.extract.extract import cached_features, games_with_features
from bas.files import sha256_of
from bas.heads.training.training_set import CachedVideo
from bas.types import Game, Spot
from bas.workspace import Workspace


@dataclass(frozen=True, slots=True)
class CachedGames:
    """Annotated games of one label set with their cached features."""

    classes: tuple[str, ...]
    games: tuple[Game, ...]
    """Games whose videos all have feature rows."""
    videos: tuple[CachedVideo, ...]
    mirrored: Mapping[Path, FeatureCache] | None
    """Caches of the mirrored view by video path; None if not requested."""

    def identity(self) -> list[Any]:
        """JSON values that identify these games, their labels and their rows."""
        labels = {video.game.labels for video in self.videos}  # one file may hold those of all games
        hashes = {path: sha256_of(path) if path else "" for path in labels}
        return [
            [
                video.game.id,
                hashes[video.game.labels],
                video.cache.fingerprint,
                video.cache.video.sha256,
            ]
            for video in self.videos
        ]


def open_timelines(game: Game, settings: ExtractSettings) -> list[VideoTimeline] | None:
    """Timelines of a game's videos; None if one of them is bad and `on_bad_video` is skip.

    Raises:
        DataError: a video is bad, and `on_bad_video` does not let it pass.
    """
    timelines = []
    try:
        for video in game.videos:
            timeline = open_timeline(video.path, settings)
            if timeline.problem:
                enforce_bad_video_policy(video.path, timeline.problem, settings)
            timelines.append(timeline)
    except DataError as error:
        if settings.on_bad_video != "skip":
            raise
        console.warn(f"Skipping {game.id}: {error}")
        return None
    return timelines


def readable_games(games: Sequence[Game], settings: ExtractSettings) -> list[Game]:
    """All games; with `on_bad_video` skip, those whose videos can be opened."""
    if settings.on_bad_video != "skip":
        return list(games)  # extraction reports the others, and need not open all videos first
    return [game for game in games if open_timelines(game, settings) is not None]


def load_cached_games(
    dataset: Dataset,
    games: Sequence[Game],
    settings: Pipeline,
    workspace: Workspace,
    *,
    statistics_games: Sequence[Game],
    teams: bool = False,
    mirrored: bool = False,
) -> CachedGames:
    """Read the annotations of games and open their caches; missing rows are extracted first.

    Args:
        dataset: dataset of the games.
        games: games to load; may be empty.
        settings: settings of the rows.
        workspace: location of the caches.
        statistics_games: games that the normalization statistics of random encoder weights are computed on.
        teams: reject annotations without a team on the left or right.
        mirrored: open the caches of the mirrored view too.
    """
    labels = {game.id: spots_of(game, dataset.classes, teams=teams) for game in games}
    if not games:
        return CachedGames(dataset.classes, (), (), None)
    caches_of = partial(
        cached_features,
        features=workspace.features,
        device=workspace.device,
        decoder=workspace.decoder,
        training=statistics_games,
    )
    caches = caches_of(games, settings.extract)
    complete = games_with_features(games, caches)
    videos = []
    for game in complete:
        for video in game.videos:
            cache, spots = caches[video.path], labels[game.id][video.half]
            videos.append(CachedVideo(game, video, spots, cache.hop, cache.rate, cache.valid, cache))
    # The mirrored view is relative: where the settings flip pictures, it is the unflipped one.
    flipped = settings.extract.model_copy(update={"flip": not settings.extract.flip})
    mirrored_caches = caches_of(complete, flipped) if mirrored else None
    return CachedGames(dataset.classes, complete, tuple(videos), mirrored_caches)


def spots_of(game: Game, classes: tuple[str, ...], *, teams: bool) -> dict[int, tuple[Spot, ...]]:
    """Annotations of a game by the half of its videos; with `teams` each must have a team, left or right."""
    labels = labels_of(game, classes)
    if teams:
        require_left_right(labels, source=str(game.labels))
    return {
        video.half: tuple(spot for spot in labels.spots if spot.half == video.half) for video in game.videos
    }
