"""Bidirectional GRU head: the simple temporal baseline.

One layer, as in Hong et al., Spotting Temporally Precise, Fine-Grained Events in Video, ECCV 2022.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bas.config import GRUSettings, LinearSettings
from bas.heads.models.base import CENTER, FeatureRows, SequenceHead, WindowHead
from bas.heads.models.layers import Standardize
from bas.heads.models.outputs import Classifier, Output, Task


class GRU(SequenceHead):
    """Rows pooled to vectors, one bidirectional recurrent layer, one linear layer."""

    def __init__(self, row_shape: tuple[int, int, int], task: Task, settings: GRUSettings) -> None:
        super().__init__(row_shape, settings)
        self.recurrent = nn.GRU(settings.dim, settings.hidden, batch_first=True, bidirectional=True)
        self.classifier = Classifier(
            2 * settings.hidden, task, scoring=settings.scoring, dropout=settings.dropout
        )

    def from_vectors(self, vectors: Float[Tensor, "batch sequence dim"]) -> Output:
        """Class logits of every row."""
        return Output(*self.classifier(self.recurrent(vectors)[0]))


_CHUNK_ROWS = 4096


class Linear(WindowHead):
    """Linear classifier of single rows."""

    offsets = CENTER

    def __init__(self, row_shape: tuple[int, int, int], task: Task, settings: LinearSettings) -> None:
        super().__init__(row_shape, settings.scoring)
        width = math.prod(row_shape)
        self.standard = Standardize(width)
        self.classifier = Classifier(width, task, scoring=settings.scoring, dropout=settings.dropout)

    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        return self.classify(self.standard(windows[:, 0].flatten(1)))

    @torch.inference_mode()
    def video_logits(self, rows: FeatureRows) -> Float[Tensor, "rows columns"]:
        """Logits of every row."""
        chunks = self.chunks(rows, _CHUNK_ROWS)
        return torch.cat([self.classify(self.standard(chunk.flatten(1))).logits[:, 0] for chunk in chunks])

    def init_from_features(self, rows: FeatureRows, *, seed: int) -> None:
        """Set the standardization from training rows."""
        self.standard.init_from_features(
            torch.cat([chunk.flatten(1) for chunk in self.chunks(rows, _CHUNK_ROWS)])
        )
