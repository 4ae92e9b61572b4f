"""What one training step reads: windows of rows, augmented, and what is true of the rows they tell of."""

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
from bas.heads.head import Head
from bas.heads.material import Material
from bas.heads.sampling import draw
from bas.heads.truth import Truth, truth_of

_MOVES, _MOVE_SHARES = (-1, 0, 1), (0.2, 0.6, 0.2)
"""Of the rows of a jittered window (lRomul, ball-action-spotting, 2023)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one label set, and the truth about the rows that they tell of."""

    windows: Float[Tensor, "batch window channels height width"]
    truth: Truth


class Epoch:
    """All batches of one epoch, a function of seed and epoch alone."""

    def __init__(
        self,
        materials: Sequence[Material],
        head: Head,
        settings: FitSettings,
        *,
        epoch: int,
        device: torch.device,
    ) -> None:
        """
        Args:
            materials: of the label set, and of the second one if there is one.
            head: says which rows a window holds and which it tells of.
            settings: of the draw and of augmentation.
            epoch: its number.
            device: that batches are moved to.
        """
        self._materials, self._settings, self._device = materials, settings, device
        self._offsets, self._told = head.offsets, head.told
        self._seed = (settings.seed, epoch)
        self.steps = max(1, settings.samples // settings.batch)
        second = round(settings.batch * settings.second_probability) if len(materials) > 1 else 0
        self.sizes = (settings.batch - second, second)[: len(materials)]
        """Windows of each label set, a step."""
        self._centers = [
            self._draw(material, size, np.random.default_rng([*self._seed, i]))
            for i, (material, size) in enumerate(zip(materials, self.sizes, strict=True))
        ]

    def drawn(self) -> list[Int64[np.ndarray, "outputs"]]:
        """Of each label set, how many windows tell of a row that is labeled with each output."""
        counts = []
        for material, centers in zip(self._materials, self._centers, strict=True):
            count = np.zeros(material.targets.labels.shape[1], np.int64)
            for step in centers:
                rows, _ = material.bank.neighbors(step, self._told)
                count += (material.targets.labels[rows].max(axis=1) > 0).sum(axis=0)
            counts.append(count)
        return counts

    def __iter__(self) -> Iterator[list[Batch]]:
        """The batches of each step, one a label set, gathered one step ahead."""
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._gather, 0)
            for step in range(1, self.steps):
                ready, coming = coming.result(), ahead.submit(self._gather, step)
                yield ready
            yield coming.result()

    def _draw(
        self, material: Material, size: int, generator: np.random.Generator
    ) -> Int64[np.ndarray, "steps size"]:
        """Center rows; where a window tells of many rows, the row that was drawn may be any of them."""
        drawn = draw(material.weights, self.steps * size, generator)
        places = generator.choice(self._told, len(drawn))
        return material.bank.moved(drawn, -places).reshape(self.steps, size)

    def _gather(self, step: int) -> list[Batch]:
        generator = np.random.default_rng([*self._seed, len(self._materials), step])
        return [
            self._batch(material, centers[step], generator, second=i > 0)
            for i, (material, centers) in enumerate(zip(self._materials, self._centers, strict=True))
        ]

    def _batch(
        self,
        material: Material,
        centers: Int64[np.ndarray, "batch"],
        generator: np.random.Generator,
        *,
        second: bool,
    ) -> Batch:
        settings = self._settings
        offsets = _jittered(self._offsets, len(centers), settings.jitter, generator)
        windows = material.bank.windows(centers, offsets)
        mirrored = np.zeros(len(centers), bool)
        if material.mirrored is not None:
            mirrored = generator.random(len(centers)) < 0.5
            windows[mirrored] = material.mirrored.windows(centers[mirrored], offsets[mirrored])
        rows, inside = material.bank.neighbors(centers, self._told)
        truth = truth_of(
            material.targets,
            rows,
            counted=inside & material.valid[rows],
            mirrored=mirrored,
            sided=settings.teams == "classes" and not second,
            second=second,
            device=self._device,
        )
        batch = Batch(torch.from_numpy(windows).to(self._device, non_blocking=True).float(), truth)
        return _mixed(batch, settings.mixup, generator) if settings.mixup else batch


def _jittered(
    offsets: Int64[np.ndarray, "window"], count: int, probability: float, generator: np.random.Generator
) -> Int64[np.ndarray, "count window"]:
    """Offsets of every window; of some, each row is moved by one, or not."""
    moves = generator.choice(_MOVES, (count, len(offsets)), p=_MOVE_SHARES)
    jittered: Int64[np.ndarray, "count window"] = offsets + moves * (
        generator.random((count, 1)) < probability
    )
    return jittered


def _mixed(batch: Batch, alpha: float, generator: np.random.Generator) -> Batch:
    """Every window mixed with another of the batch, and what is true of it too (Zhang et al., mixup, ICLR 2018)."""
    device = batch.windows.device
    share = torch.from_numpy(generator.beta(alpha, alpha, len(batch.windows)).astype(np.float32)).to(device)
    other = torch.from_numpy(generator.permutation(len(share))).to(device)

    weight = rearrange(share, "b -> b 1 1 1 1")
    windows = weight * batch.windows + (1 - weight) * batch.windows[other]
    return Batch(windows, batch.truth.mixed(batch.truth.at(other), share))
