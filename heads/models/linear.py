"""Linear head: the average of a window, then one linear layer."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from bas.config import LinearSettings
from bas.heads.models.base import CENTER, FeatureRows, WindowHead
from bas.heads.models.layers import Standardize
from bas.heads.models.outputs import Classifier, Output, Task

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
