"""Batches of feature windows with augmentation and targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from bas.config import FitSettings
from bas.heads.models.base import Head
from bas.heads.training.sampling import draw_rows, jitter_steps
from bas.heads.training.targets import TargetBatch, target_batch
from bas.heads.training.training_set import TrainingSet


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows of one label set with the targets of their target rows."""

    windows: Float[Tensor, "batch window channels height width"]
    targets: TargetBatch


class Epoch:
    """All batches of one epoch, determined by the seed and the epoch number alone."""

    def __init__(
        self,
        training_sets: Sequence[TrainingSet],
        head: Head,
        settings: FitSettings,
        *,
        epoch: int,
        device: torch.device,
    ) -> None:
        """
        Args:
            training_sets: rows of the label set, and of the second one if there is one.
            head: defines the rows of a window and its target rows.
            settings: settings of sampling and augmentation.
            epoch: number of the epoch.
            device: device of the batches.
        """
        self._training_sets, self._settings, self._device = training_sets, settings, device
        self._offsets, self._target_offsets = head.offsets, head.target_offsets
        self._seed = (settings.seed, epoch)
        self.steps = max(1, settings.samples // settings.batch)
        second = round(settings.batch * settings.second_probability) if len(training_sets) > 1 else 0
        self.sizes = (settings.batch - second, second)[: len(training_sets)]
        """Number of windows of each label set per step."""
        self._centers = [
            self._sample_centers(training_set, size, np.random.default_rng([*self._seed, i]))
            for i, (training_set, size) in enumerate(zip(training_sets, self.sizes, strict=True))
        ]

    def class_counts(self) -> list[dict[str, int]]:
        """For each label set, the number of windows with a target row labeled with each output."""
        counts = []
        for training_set, centers in zip(self._training_sets, self._centers, strict=True):
            count = np.zeros(training_set.targets.labels.shape[1], np.int64)
            for step in centers:
                rows, _ = training_set.bank.rows_around(step, self._target_offsets)
                count += (training_set.targets.labels[rows].max(axis=1) > 0).sum(axis=0)
            counts.append(dict(zip(training_set.outputs, count.tolist(), strict=True)))
        return counts

    def __iter__(self) -> Iterator[list[WindowBatch]]:
        """Batches of each step, one per label set, gathered one step ahead in a thread."""
        with ThreadPoolExecutor(1) as executor:
            pending = executor.submit(self._gather, 0)
            for step in range(1, self.steps):
                ready, pending = pending.result(), executor.submit(self._gather, step)
                yield ready
            yield pending.result()

    def _sample_centers(
        self, training_set: TrainingSet, size: int, generator: np.random.Generator
    ) -> Int64[np.ndarray, "steps size"]:
        """Center rows of the windows; a sampled row becomes any of the target rows of its window."""
        sampled = draw_rows(training_set.probabilities, self.steps * size, generator)
        # Without the shift a sequence head would see most actions in the middle of its sequence.
        offsets = generator.choice(self._target_offsets, len(sampled))
        return training_set.bank.shifted(sampled, -offsets).reshape(self.steps, size)

    def _gather(self, step: int) -> list[WindowBatch]:
        # Distinct from the seeds of the centers, which end in the index of a label set.
        generator = np.random.default_rng([*self._seed, len(self._training_sets), step])
        return [
            self._batch(training_set, centers[step], generator, second=i > 0)
            for i, (training_set, centers) in enumerate(zip(self._training_sets, self._centers, strict=True))
        ]

    def _batch(
        self,
        training_set: TrainingSet,
        centers: Int64[np.ndarray, "batch"],
        generator: np.random.Generator,
        *,
        second: bool,
    ) -> WindowBatch:
        settings = self._settings
        offsets = _jittered(self._offsets, len(centers), settings.jitter, generator)
        windows = training_set.bank.windows(centers, offsets)
        mirrored = np.zeros(len(centers), bool)
        if training_set.mirrored is not None:
            # Per window, not per batch: both views then share every gradient step.
            mirrored = generator.random(len(centers)) < 0.5
            windows[mirrored] = training_set.mirrored.windows(centers[mirrored], offsets[mirrored])
        rows, inside = training_set.bank.rows_around(centers, self._target_offsets)
        targets = target_batch(
            training_set.targets,
            rows,
            mask=inside & training_set.valid[rows],
            mirrored=mirrored,
            team_classes=settings.teams == "classes" and not second,
            is_second_label_set=second,
            device=self._device,
        )
        batch = WindowBatch(torch.from_numpy(windows).to(self._device, non_blocking=True).float(), targets)
        return _mixed(batch, settings.mixup, generator) if settings.mixup else batch


def _jittered(
    offsets: Int64[np.ndarray, "window"], count: int, probability: float, generator: np.random.Generator
) -> Int64[np.ndarray, "count window"]:
    """Offsets of every window; with the given probability a window is jittered, each row on its own."""
    steps = jitter_steps((count, len(offsets)), generator)
    jittered: Int64[np.ndarray, "count window"] = offsets + steps * (
        generator.random((count, 1)) < probability
    )
    return jittered


def _mixed(batch: WindowBatch, alpha: float, generator: np.random.Generator) -> WindowBatch:
    """Mix every window and its targets with another window of the batch (Zhang et al., mixup, ICLR 2018)."""
    device = batch.windows.device
    share = torch.from_numpy(generator.beta(alpha, alpha, len(batch.windows)).astype(np.float32)).to(device)
    other = torch.from_numpy(generator.permutation(len(share))).to(device)

    weight = rearrange(share, "b -> b 1 1 1 1")
    windows = weight * batch.windows + (1 - weight) * batch.windows[other]
    return WindowBatch(windows, batch.targets.mixed_with(batch.targets.select(other), share))
