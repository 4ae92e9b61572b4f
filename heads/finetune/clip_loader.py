"""Annotated training videos on the model clock, and the clip loader built from them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from bas.config import Pipeline
from bas.dataset import Dataset
from bas.extract.decode.timeline import VideoTimeline
from bas.heads.finetune.augment import apply_augmentation, draw_augmentation
from bas.heads.finetune.clip_reader import Clip, ClipReader, DecodeUsage
from bas.heads.finetune.clip_sampler import BatchSlot, ClipShape, ClipSource, keyframe_indices, plan_epoch
from bas.heads.finetune.distributed import DistributedContext
from bas.heads.training.annotated_games import open_timelines, spots_of
from bas.heads.training.targets import TargetBatch, target_batch
from bas.heads.training.training_set import AnnotatedVideo, targets_and_probabilities
from bas.types import Game
from bas.vocabulary import target_classes
from bas.workspace import Workspace


@dataclass(frozen=True, slots=True)
class AnnotatedTimeline(AnnotatedVideo):
    """A video whose rows are decoded in training; `valid` does not know of damage, which only decoding shows."""

    timeline: VideoTimeline


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
        timelines = open_timelines(game, settings.extract)
        if timelines is None:
            continue
        for video, timeline in zip(game.videos, timelines, strict=True):
            rows, clock = timeline.rows, timeline.clock_frames
            valid = clock.present[rows.table(range(len(rows)))].all(axis=1)
            opened.append(
                AnnotatedTimeline(game, video, spots[video.half], rows.hop, clock.rate, valid, timeline)
            )
    return opened


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
        ClipSource(video.video, video.timeline, of_video, part, keyframe_indices(video.timeline))
        for video, of_video, part in zip(videos, targets, np.split(probabilities, ends), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class ClipSample:
    """One augmented clip with its targets."""

    luma: UInt8[Tensor, "frames height width"]
    row_indices: Int64[Tensor, "rows"]
    """Row of the clip to use at each position; beyond an end of the video the outermost row repeats."""
    targets: TargetBatch
    seed: int
    """Seed of dropout."""


class ClipLoader:
    """Samples of this process for each training step, prepared one step ahead, with one thread per batch slot."""

    def __init__(
        self,
        sources: Sequence[ClipSource],
        shape: ClipShape,
        settings: Pipeline,
        *,
        reader: ClipReader,
        slots: slice,
        device: torch.device,
    ) -> None:
        """
        Args:
            sources: training videos.
            shape: windows of a clip.
            settings: settings of the whole pipeline.
            reader: decoder of the clips.
            slots: batch slots that this process serves.
            device: device of the samples.
        """
        self._sources, self._shape, self._settings = sources, shape, settings
        self._reader, self._slots, self._device = reader, slots, device
        # Float copies of a clip are large: `memory.expected_bytes` counts on one clip at a time.
        self._augmenting = Lock()
        self.steps = max(1, settings.finetune.samples // settings.finetune.batch)

    @property
    def fraction_used(self) -> float:
        """Fraction of the pictures decoded in the current epoch that lie inside a clip."""
        return self._reader.usage.fraction

    def epoch(self, number: int, *, start: int = 0) -> Iterator[list[ClipSample]]:
        """Yield the samples of each step of an epoch, from step `start` on."""
        plan = plan_epoch(self._sources, self._shape, self._settings.finetune, epoch=number)
        self._reader.usage = DecodeUsage()
        with ExitStack() as stack:
            streams = [
                stack.enter_context(closing(self._samples(slot, start=start))) for slot in plan[self._slots]
            ]
            # Entered last, so left first: its threads have ended before the streams are closed.
            pool = stack.enter_context(ThreadPoolExecutor(len(streams)))
            pending = [pool.submit(next, stream) for stream in streams]
            for step in range(start, self.steps):
                ready = [sample.result() for sample in pending]
                if step + 1 < self.steps:
                    pending = [pool.submit(next, stream) for stream in streams]
                yield ready

    def _samples(self, slot: BatchSlot, *, start: int) -> Generator[ClipSample, None, None]:
        with closing(self._reader.read_slot(slot, start=start)) as clips:
            samples = map(self._sample, clips)
            yield from self._mixed(samples, slot, start) if self._settings.finetune.augment.mixup else samples

    def _sample(self, clip: Clip) -> ClipSample:
        augment = self._settings.finetune.augment
        generator = np.random.default_rng([*clip.planned.seed, 1])
        augmentation = draw_augmentation(augment, generator)
        source = self._sources[clip.planned.source]
        num_rows = len(source.timeline.rows)
        numbers = clip.planned.first_row + np.arange(self._shape.num_rows)
        inside = (numbers >= 0) & (numbers < num_rows)
        valid = inside & clip.valid[self._shape.stacks].all(axis=1)
        clamped = numbers.clip(0, num_rows - 1)
        targets = target_batch(
            source.targets,
            clamped[self._shape.target_rows],
            mask=valid[self._shape.target_rows] & self._shape.first_occurrence,
            mirrored=np.full(len(self._shape.target_rows), augmentation.flip),
            team_classes=self._settings.fit.teams == "classes",
            is_second_label_set=False,
            device=self._device,
        )
        row_indices = torch.from_numpy(clamped - clip.planned.first_row).to(self._device)
        with self._augmenting:
            luma = apply_augmentation(clip.luma, augmentation, augment)
        return ClipSample(luma, row_indices, targets, int(generator.integers(1 << 62)))

    def _mixed(
        self, samples: Iterator[ClipSample], slot: BatchSlot, start: int
    ) -> Generator[ClipSample, None, None]:
        """Mix each sample with the next one, pixel by pixel; the last sample of an epoch stays as it is.

        Zhang et al., mixup, ICLR 2018; on clips as in T-DEED (Xarles et al., CVPRW 2024).
        """
        alpha = self._settings.finetune.augment.mixup
        sample = next(samples)
        for index in slot.order[start:]:
            following = next(samples, None)
            if following is None:
                yield sample
                return
            share = float(np.random.default_rng([*slot.clips[index].seed, 2]).beta(alpha, alpha))
            with self._augmenting:
                mixed = _mix(sample, following, share)
            yield mixed
            sample = following


def _mix(sample: ClipSample, other: ClipSample, share: float) -> ClipSample:
    luma = (share * sample.luma.float() + (1 - share) * other.luma.float()).round_().to(torch.uint8)
    shares = torch.full((len(sample.targets.labels),), share, device=luma.device)
    targets = sample.targets.mixed_with(other.targets, shares)
    return ClipSample(luma, sample.row_indices, targets, sample.seed)
