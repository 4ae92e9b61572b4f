"""Matches of one label set with their annotations and rows: what is learned from, or judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bas.config import ExtractSettings, Pipeline
from bas.dataset import Dataset, labels_of, require_left_right
from bas.extract.cache import FeatureCache
from bas.extract.decode import Decoder
from bas.extract.run import cached_rows
from bas.files import sha256_of
from bas.heads.material import CachedVideo, with_rows
from bas.types import Game, Spot


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fit finds and leaves things, and what it computes on."""

    data: Path
    features: Path
    runs: Path
    device: str
    decoder: Decoder


@dataclass(frozen=True, slots=True)
class Lesson:
    """Matches of one label set with their rows."""

    classes: tuple[str, ...]
    games: tuple[Game, ...]
    """Those of which every video has rows."""
    videos: tuple[CachedVideo, ...]
    mirrored: Mapping[Path, FeatureCache] | None
    """Rows of the mirrored view, by path of the video."""

    def identity(self) -> list[Any]:
        """All that tells these matches, labels and rows from others, as JSON."""
        return [
            [
                video.game.id,
                sha256_of(video.game.labels) if video.game.labels else "",
                video.cache.fingerprint,
                video.cache.video.sha256,
            ]
            for video in self.videos
        ]


def prepare(
    dataset: Dataset,
    games: Sequence[Game],
    settings: Pipeline,
    place: Place,
    *,
    measured: Sequence[Game],
    teams: bool = False,
    mirrored: bool = False,
) -> Lesson:
    """Read the annotations of games and their rows; rows that are missing are extracted first.

    Args:
        dataset: that the games belong to.
        games: none give an empty lesson.
        settings: of the rows.
        place: of the caches.
        measured: games that random encoder weights are measured on.
        teams: refuse annotations without left or right.
        mirrored: get the rows of the mirrored view too.
    """
    labels = {game.id: spots_of(game, dataset.classes, teams=teams) for game in games}
    if not games:
        return Lesson(dataset.classes, (), (), None)
    caches = _rows(games, settings.extract, place, measured)
    whole = with_rows(games, caches)
    videos = tuple(_cached_videos(whole, caches, labels))
    other = settings.extract.model_copy(update={"flip": not settings.extract.flip})
    return Lesson(dataset.classes, whole, videos, _rows(whole, other, place, measured) if mirrored else None)


def _cached_videos(
    games: Iterable[Game], caches: Mapping[Path, FeatureCache], labels: Mapping[str, Sequence[Spot]]
) -> Iterable[CachedVideo]:
    """Every video with its cache and the spots of its half."""
    for game in games:
        for video in game.videos:
            spots = tuple(spot for spot in labels[game.id] if spot.half == video.half)
            yield CachedVideo(game, video, caches[video.path], spots)


def spots_of(game: Game, classes: tuple[str, ...], *, teams: bool) -> tuple[Spot, ...]:
    """The annotations of a game; with `teams` all of them have to be of left or right."""
    labels = labels_of(game, classes)
    if teams:
        require_left_right(labels, source=str(game.labels))
    return labels.spots


def _rows(
    games: Sequence[Game], settings: ExtractSettings, place: Place, measured: Sequence[Game]
) -> dict[Path, FeatureCache]:
    return cached_rows(
        games,
        settings,
        features=place.features,
        device=place.device,
        decoder=place.decoder,
        training=measured,
    )
