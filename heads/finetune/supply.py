"""Loader of the training samples of stage 3: clips decoded ahead, augmented, with the targets of their rows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from bas.config import Pipeline
from bas.heads.finetune.augment import apply_augmentation, draw_augmentation
from bas.heads.finetune.clip_reader import Clip, ClipReader, DecodeUsage, clip_frames
from bas.heads.finetune.clip_sampler import BatchSlot, ClipShape, ClipSource, plan_epoch
from bas.heads.training.truth import TargetBatch, target_batch


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
        self.frames = clip_frames(shape, settings)
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
        valid = inside & clip.valid[self.frames.stacks].all(axis=1)
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
