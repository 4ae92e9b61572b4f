"""Bidirectional GRU head: the simple temporal baseline.

One layer, as in Hong et al., Spotting Temporally Precise, Fine-Grained Events in Video, ECCV 2022.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from bas.config import GRUSettings
from bas.heads.models.base import SequenceHead
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
