"""Heads that read a clip of rows and speak of every row of it."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bas.config import ClipSettings
from bas.heads.head import Head, Rows
from bas.heads.outputs import Output, class_scores, displace, split_by_team
from bas.heads.pooling import Average, GeneralizedMean
from bas.heads.standard import Standardize

_OVERLAPPING = 4  # clips over every row of a match
_CHUNK_ROWS = 1024
_CHUNK_CLIPS = 16


class ClipHead(Head):
    """Each row pooled to one vector; a network over the vectors of a clip."""

    def __init__(self, row_shape: tuple[int, int, int], settings: ClipSettings) -> None:
        super().__init__(row_shape, settings.scoring)
        channels, _, _ = row_shape
        self.offsets = np.arange(settings.clip_rows) - settings.clip_rows // 2
        self.told = self.offsets
        self.pooling = GeneralizedMean() if settings.pool == "gem" else Average()
        self.standard = Standardize(channels)
        self.projection = nn.Identity() if channels == settings.dim else nn.Linear(channels, settings.dim)

    @abstractmethod
    def speak(self, vectors: Float[Tensor, "batch clip dim"]) -> Output:
        """What a clip of vectors says of each of them."""

    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        return self.speak(self._vectors(windows))

    @torch.inference_mode()
    def scores(self, rows: Rows) -> Float[Tensor, "rows classes"]:
        """The mean over all clips that hold a row: four, a quarter of a clip apart, at the ends too."""
        vectors = torch.cat([self._vectors(chunk) for chunk in self.chunks(rows, _CHUNK_ROWS)])
        length = len(self.offsets)
        step = max(1, length // _OVERLAPPING)
        first = -step * ((length - 1) // step)
        starts = torch.arange(first, len(rows), step, device=vectors.device)
        places = starts[:, None] + torch.arange(length, device=vectors.device)
        total: Tensor | None = None
        support = torch.zeros(len(rows), 1, device=vectors.device)
        for clips in torch.split(places, _CHUNK_CLIPS):
            # Rows before the first and after the last repeat it, as in the windows of training.
            told = self._clip_scores(vectors[clips.clamp(0, len(rows) - 1)])
            inside = (clips >= 0) & (clips < len(rows))
            if total is None:
                total = told.new_zeros(len(rows), told.shape[2])
            total.index_add_(0, clips[inside], told[inside])
            support.index_add_(0, clips[inside], support.new_ones(int(inside.sum()), 1))
        assert total is not None
        return total / support

    @torch.no_grad()
    def start(self, rows: Rows, *, seed: int) -> None:
        """Standardize what rows are pooled to."""
        self.standard.start(torch.cat([self.pooling(chunk) for chunk in self.chunks(rows, _CHUNK_ROWS)]))

    def _vectors(self, rows: Float[Tensor, "*batch channels height width"]) -> Float[Tensor, "*batch dim"]:
        vectors: Tensor = self.projection(self.standard(self.pooling(rows)))
        return vectors

    def _clip_scores(self, vectors: Float[Tensor, "batch clip dim"]) -> Float[Tensor, "batch clip classes"]:
        output = self.speak(vectors)
        scores = class_scores(output.logits, self.scoring)
        displacement = output.displacement
        if output.team is not None:
            scores = split_by_team(scores, output.team.sigmoid())
            if displacement is not None and displacement.shape[2] > 1:
                displacement = displacement.repeat_interleave(2, dim=2)
        return scores if displacement is None else displace(scores, displacement)
