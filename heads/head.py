"""What a temporal head is: windows of rows in while it trains, whole matches in when it scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float16, Int64
from torch import Tensor, nn

from bas.config import Scoring
from bas.heads.outputs import Classifier, Output, class_scores

Rows = Float16[np.ndarray, "rows channels height width"]

CENTER: Int64[np.ndarray, "told"] = np.zeros(1, np.int64)


class Head(nn.Module, ABC):
    """A light network on cached rows."""

    offsets: Int64[np.ndarray, "window"]
    """Rows of a window, relative to its center row; rows before the first and after the last repeat it."""
    told: Int64[np.ndarray, "told"]
    """Rows that the outputs speak of, relative to the center row too."""
    classifier: Classifier
    """The output layer of the classes."""

    def __init__(self, row_shape: tuple[int, int, int], scoring: Scoring) -> None:
        """
        Args:
            row_shape: channels, height and width of a cached row.
            scoring: how logits become scores.
        """
        super().__init__()
        self.row_shape = row_shape
        self.scoring: Scoring = scoring

    @abstractmethod
    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        """What the head says of `told`."""

    @abstractmethod
    def scores(self, rows: Rows) -> Float[Tensor, "rows classes"]:
        """Scores in [0, 1] of every row of one video, the first and the last too."""

    @abstractmethod
    def start(self, rows: Rows, *, seed: int) -> None:
        """Set the initial weights that are better read off training rows than drawn."""

    def chunks(self, rows: Rows, count: int) -> Iterator[Float[Tensor, "n channels height width"]]:
        """Rows as float32 on the head's device, at most `count` at a time."""
        device = next(self.parameters()).device
        for first in range(0, len(rows), count):
            chunk = np.ascontiguousarray(rows[first : first + count], dtype=np.float32)
            yield torch.from_numpy(chunk).to(device)


class WindowHead(Head):
    """A head that speaks of the center row alone."""

    told = CENTER

    @abstractmethod
    def match_logits(self, rows: Rows) -> Float[Tensor, "rows columns"]:
        """Logits of every row of one video, equal to `forward` on the window around each."""

    @torch.inference_mode()
    def scores(self, rows: Rows) -> Float[Tensor, "rows classes"]:
        """Scores in [0, 1] of every row of one video."""
        return class_scores(self.match_logits(rows), self.scoring)

    def speak(self, pooled: Float[Tensor, "batch width"]) -> Output:
        """Logits of what a window was pooled to."""
        logits, second = self.classifier(pooled)
        return Output(logits[:, None], None if second is None else second[:, None])
