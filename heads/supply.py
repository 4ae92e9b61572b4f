"""The samples of a joint training: clips decoded ahead, changed in look, with the truth about their rows."""

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
from bas.heads.clip_plan import ClipShape, Footage, Lane, plan_epoch
from bas.heads.clips import Clip, ClipReader, Usage, slots_of
from bas.heads.look import change, draw_look
from bas.heads.truth import Truth, truth_of


@dataclass(frozen=True, slots=True)
class Sample:
    """What the model sees of a clip, and what is true of it."""

    luma: UInt8[Tensor, "slots height width"]
    rows: Int64[Tensor, "rows"]
    """Which row of the clip stands at each place: beyond an end of the video, its last one."""
    truth: Truth
    seed: int
    """Of dropout."""


class Supply:
    """The samples of this process, step by step, made one step ahead, those of each lane by a thread of its own."""

    def __init__(
        self,
        footage: Sequence[Footage],
        shape: ClipShape,
        settings: Pipeline,
        *,
        reader: ClipReader,
        lanes: slice,
        device: torch.device,
    ) -> None:
        """
        Args:
            footage: the training videos.
            shape: windows of a clip.
            settings: of the whole pipeline.
            reader: decodes the clips.
            lanes: of a batch that this process takes.
            device: of the samples.
        """
        self._footage, self._shape, self._settings = footage, shape, settings
        self.slots = slots_of(shape, settings)
        self._reader, self._lanes, self._device = reader, lanes, device
        self._changing = Lock()  # one clip at a time, for its float copies are large
        self.steps = max(1, settings.finetune.samples // settings.finetune.batch)

    @property
    def share_used(self) -> float:
        """Of the pictures that were decoded for the epoch at hand, those that lie in a clip."""
        return self._reader.usage.share

    def epoch(self, number: int, *, start: int = 0) -> Iterator[list[Sample]]:
        """The samples of each step of an epoch, from step `start` on."""
        plan = plan_epoch(self._footage, self._shape, self._settings.finetune, epoch=number)
        self._reader.usage = Usage()
        with ExitStack() as stack:
            lanes = [
                stack.enter_context(closing(self._lane(lane, start=start))) for lane in plan[self._lanes]
            ]
            ahead = stack.enter_context(ThreadPoolExecutor(len(lanes)))
            coming = [ahead.submit(next, lane) for lane in lanes]
            for step in range(start, self.steps):
                ready = [sample.result() for sample in coming]
                if step + 1 < self.steps:
                    coming = [ahead.submit(next, lane) for lane in lanes]
                yield ready

    def _lane(self, lane: Lane, *, start: int) -> Generator[Sample, None, None]:
        with closing(self._reader.lane(lane, start=start)) as clips:
            samples = map(self._sample, clips)
            yield from self._mixed(samples, lane, start) if self._settings.finetune.augment.mixup else samples

    def _sample(self, clip: Clip) -> Sample:
        augment = self._settings.finetune.augment
        generator = np.random.default_rng([*clip.planned.draws, 1])
        look = draw_look(augment, generator)
        footage = self._footage[clip.planned.footage]
        numbers = clip.planned.first_row + np.arange(self._shape.rows)
        inside = (numbers >= 0) & (numbers < len(footage.timeline.rows))
        counted = inside & clip.sound[self.slots.stacks].all(axis=1)
        there = numbers.clip(0, len(footage.timeline.rows) - 1)
        truth = truth_of(
            footage.targets,
            there[self._shape.told],
            counted=counted[self._shape.told] & self._shape.first_told,
            mirrored=np.full(len(self._shape.told), look.flip),
            sided=self._settings.fit.teams == "classes",
            second=False,
            device=self._device,
        )
        rows = torch.from_numpy(there - clip.planned.first_row).to(self._device)
        with self._changing:
            luma = change(clip.luma, look, augment)
        return Sample(luma, rows, truth, int(generator.integers(1 << 62)))

    def _mixed(self, samples: Iterator[Sample], lane: Lane, start: int) -> Generator[Sample, None, None]:
        """Each sample mixed with the one after it, pixel by pixel; the last of an epoch stays as it is.

        Zhang et al., mixup, ICLR 2018; on clips as in T-DEED (Xarles et al., CVPRW 2024).
        """
        alpha = self._settings.finetune.augment.mixup
        sample = next(samples)
        for place in lane.order[start:]:
            following = next(samples, None)
            if following is None:
                yield sample
                return
            share = float(np.random.default_rng([*lane.clips[place].draws, 2]).beta(alpha, alpha))
            with self._changing:
                mixed = _mix(sample, following, share)
            yield mixed
            sample = following


def _mix(sample: Sample, other: Sample, share: float) -> Sample:
    luma = (share * sample.luma.float() + (1 - share) * other.luma.float()).round_().to(torch.uint8)
    shares = torch.full((len(sample.truth.labels),), share, device=luma.device)
    return Sample(luma, sample.rows, sample.truth.mixed(other.truth, shares), sample.seed)
