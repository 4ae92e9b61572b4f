"""Matches as a joint training sees them: their videos on the model's clock, and the clips drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool

from bas import console
from bas.config import Pipeline
from bas.dataset import Dataset
from bas.errors import DataError
from bas.extract.soundness import judge
from bas.extract.timeline import Timeline, open_timeline
from bas.heads.clip_plan import ClipShape, Footage, keyframe_ticks
from bas.heads.clips import ClipReader
from bas.heads.lessons import Place, spots_of
from bas.heads.material import lay_out
from bas.heads.processes import Processes
from bas.heads.supply import Supply
from bas.heads.targets import target_classes
from bas.types import Game, Spot, Video


@dataclass(frozen=True, slots=True)
class FilmedVideo:
    """A video of a game laid on the model's clock, with what was annotated in it."""

    game: Game
    video: Video
    spots: tuple[Spot, ...]
    timeline: Timeline

    @property
    def hop(self) -> int:
        """Ticks from one row to the next."""
        return self.timeline.rows.hop

    @property
    def rate(self) -> Fraction:
        """Ticks a second."""
        return self.timeline.ticks.rate

    @property
    def valid(self) -> Bool[np.ndarray, "rows"]:
        """Whether a row has its pictures, as far as the container tells."""
        rows = self.timeline.rows
        valid: Bool[np.ndarray, "rows"] = self.timeline.ticks.present[rows.table(range(len(rows)))].all(
            axis=1
        )
        return valid


def film(dataset: Dataset, games: Sequence[Game], settings: Pipeline) -> list[FilmedVideo]:
    """The videos of games on the model's clock, with their annotations; damaged ones by the settings."""
    filmed = []
    for game in games:
        spots = spots_of(game, dataset.classes, teams=settings.fit.teams != "none")
        try:
            timelines = [_timeline(video, settings) for video in game.videos]
        except DataError as error:
            if settings.extract.on_bad_video != "skip":
                raise
            console.warn(f"{game.id} is left out: {error}")
            continue
        for video, timeline in zip(game.videos, timelines, strict=True):
            of_half = tuple(spot for spot in spots if spot.half == video.half)
            filmed.append(FilmedVideo(game, video, of_half, timeline))
    return filmed


def sound_games(dataset: Dataset, games: Sequence[Game], settings: Pipeline) -> list[Game]:
    """The games to work with: all, or where damaged ones are skipped those that can be read."""
    if settings.extract.on_bad_video != "skip":
        return list(games)
    readable = {item.game.id for item in film(dataset, games, settings)}
    return [game for game in games if game.id in readable]


def supply_of(
    shape: ClipShape,
    videos: Sequence[FilmedVideo],
    dataset: Dataset,
    settings: Pipeline,
    place: Place,
    processes: Processes,
) -> Supply:
    """The samples of this process.

    Raises:
        DataError: no row of any video is near an action.
    """
    outputs = target_classes(dataset.classes, teams=settings.fit.teams == "classes")
    footage = footage_of(videos, outputs, settings)
    device = torch.device(place.device)
    share = settings.finetune.batch // processes.world
    return Supply(
        footage,
        shape,
        settings,
        reader=ClipReader(footage, shape, settings, decoder=place.decoder, device=device),
        lanes=slice(processes.rank * share, (processes.rank + 1) * share),
        device=device,
    )


def footage_of(videos: Sequence[FilmedVideo], outputs: Sequence[str], settings: Pipeline) -> list[Footage]:
    """What clips are drawn from."""
    out_of_fold = Path(settings.fit.out_of_fold) if settings.fit.out_of_fold else None
    targets, weights = lay_out(videos, outputs, settings.fit, out_of_fold=out_of_fold)
    ends = np.cumsum([len(video.timeline.rows) for video in videos])[:-1]
    return [
        Footage(video.game, video.video, video.timeline, of_video, share, keyframe_ticks(video.timeline))
        for video, of_video, share in zip(videos, targets, np.split(weights, ends), strict=True)
    ]


def _timeline(video: Video, settings: Pipeline) -> Timeline:
    timeline = open_timeline(video.path, settings.extract)
    if timeline.problem:
        judge(video.path, timeline.problem, settings.extract)
    return timeline
