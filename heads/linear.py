"""One row, one linear layer, no time: what every temporal head has to beat."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from bas.config import LinearSettings
from bas.heads.head import CENTER, Rows, WindowHead
from bas.heads.outputs import Classifier, Output, Task
from bas.heads.standard import Standardize

_CHUNK_ROWS = 4096


class Linear(WindowHead):
    """A linear classifier of single rows."""

    offsets = CENTER

    def __init__(self, row_shape: tuple[int, int, int], task: Task, settings: LinearSettings) -> None:
        super().__init__(row_shape, settings.scoring)
        width = math.prod(row_shape)
        self.standard = Standardize(width)
        self.classifier = Classifier(width, task, scoring=settings.scoring, dropout=settings.dropout)

    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        return self.speak(self.standard(windows[:, 0].flatten(1)))

    @torch.inference_mode()
    def match_logits(self, rows: Rows) -> Float[Tensor, "rows columns"]:
        """Logits of every row."""
        chunks = self.chunks(rows, _CHUNK_ROWS)
        return torch.cat([self.speak(self.standard(chunk.flatten(1))).logits[:, 0] for chunk in chunks])

    def start(self, rows: Rows, *, seed: int) -> None:
        """Standardize the inputs."""
        self.standard.start(torch.cat([chunk.flatten(1) for chunk in self.chunks(rows, _CHUNK_ROWS)]))
