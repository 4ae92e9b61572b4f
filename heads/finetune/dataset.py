"""Annotated training videos on the model clock, and the clip loader built from them."""

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
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.extract.quality import enforce_bad_video_policy
from bas.heads.finetune.clip_reader import ClipReader
from bas.heads.finetune.clip_sampler import ClipShape, ClipSource, keyframe_indices
from bas.heads.finetune.distributed import DistributedContext
from bas.heads.finetune.supply import ClipLoader
from bas.heads.training.annotated_games import Workspace, spots_of
from bas.heads.training.dataset import targets_and_probabilities
from bas.heads.training.targets import target_classes
from bas.types import Game, Spot, Video


@dataclass(frozen=True, slots=True)
class AnnotatedTimeline:
    """A video of a game on the model's clock, with the spots annotated in it."""

    game: Game
    video: Video
    spots: tuple[Spot, ...]
    timeline: VideoTimeline

    @property
    def hop(self) -> int:
        """Frames from one row to the next."""
        return self.timeline.rows.hop

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return self.timeline.clock_frames.rate

    @property
    def valid(self) -> Bool[np.ndarray, "rows"]:
        """Whether the container holds the pictures of a row; damage shows only when they are decoded."""
        rows = self.timeline.rows
        valid: Bool[np.ndarray, "rows"] = self.timeline.clock_frames.present[
            rows.table(range(len(rows)))
        ].all(axis=1)
        return valid


def open_annotated_videos(
    dataset: Dataset, games: Sequence[Game], settings: Pipeline
) -> list[AnnotatedTimeline]:
    """Open the videos of games and read their annotations, with `on_bad_video` applied.

    Raises:
        DataError: labels are invalid, or a video is bad and `on_bad_video` does not let it pass.
    """
    opened = []
    for game in games:
        spots = spots_of(game, dataset.classes, teams=settings.fit.teams != "none")
        try:
            timelines = [_timeline(video, settings) for video in game.videos]
        except DataError as error:
            if settings.extract.on_bad_video != "skip":
                raise
            console.warn(f"Skipping {game.id}: {error}")
            continue
        for video, timeline in zip(game.videos, timelines, strict=True):
            of_half = tuple(spot for spot in spots if spot.half == video.half)
            opened.append(AnnotatedTimeline(game, video, of_half, timeline))
    return opened


def readable_games(dataset: Dataset, games: Sequence[Game], settings: Pipeline) -> list[Game]:
    """All games, or with `on_bad_video` "skip" those whose videos can be opened."""
    if settings.extract.on_bad_video != "skip":
        return list(games)
    readable = {video.game.id for video in open_annotated_videos(dataset, games, settings)}
    return [game for game in games if game.id in readable]


def build_loader(
    shape: ClipShape,
    videos: Sequence[AnnotatedTimeline],
    dataset: Dataset,
    settings: Pipeline,
    workspace: Workspace,
    distributed: DistributedContext,
) -> ClipLoader:
    """Build the loader of this process, which reads its share of the batch slots.

    Raises:
        DataError: no row of any video is near an action.
    """
    outputs = target_classes(dataset.classes, teams=settings.fit.teams == "classes")
    sources = clip_sources(videos, outputs, settings)
    device = torch.device(workspace.device)
    share = settings.finetune.batch // distributed.world_size
    return ClipLoader(
        sources,
        shape,
        settings,
        reader=ClipReader(sources, shape, settings, decoder=workspace.decoder, device=device),
        slots=slice(distributed.rank * share, (distributed.rank + 1) * share),
        device=device,
    )


def clip_sources(
    videos: Sequence[AnnotatedTimeline], outputs: Sequence[str], settings: Pipeline
) -> list[ClipSource]:
    """Compute the targets and sampling probabilities of all rows of the videos."""
    out_of_fold = Path(settings.fit.out_of_fold) if settings.fit.out_of_fold else None
    targets, probabilities = targets_and_probabilities(videos, outputs, settings.fit, out_of_fold=out_of_fold)
    ends = np.cumsum([len(video.timeline.rows) for video in videos])[:-1]
    return [
        ClipSource(video.game, video.video, video.timeline, of_video, part, keyframe_indices(video.timeline))
        for video, of_video, part in zip(videos, targets, np.split(probabilities, ends), strict=True)
    ]


def _timeline(video: Video, settings: Pipeline) -> VideoTimeline:
    timeline = open_timeline(video.path, settings.extract)
    if timeline.problem:
        enforce_bad_video_policy(video.path, timeline.problem, settings.extract)
    return timeline
