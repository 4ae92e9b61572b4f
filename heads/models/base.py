"""Base classes of temporal heads: they train on windows of feature rows and score whole videos."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float16, Int64
from torch import Tensor, nn

from bas.config import Scoring
from bas.heads.models.outputs import Classifier, Output, class_scores

FeatureRows = Float16[np.ndarray, "rows channels height width"]

CENTER: Int64[np.ndarray, "targets"] = np.zeros(1, np.int64)
"""Offsets that hold the center row alone."""


class Head(nn.Module, ABC):
    """A small network on cached feature rows."""

    offsets: Int64[np.ndarray, "window"]
    """Offsets of a window's rows from its center row; beyond an end of the video its last row repeats."""
    target_offsets: Int64[np.ndarray, "targets"]
    """Offsets of the target rows, the rows that outputs describe, from the center row."""
    classifier: Classifier
    """Output layer of the classes."""

    def __init__(self, row_shape: tuple[int, int, int], scoring: Scoring) -> None:
        """
        Args:
            row_shape: channels, height and width of a feature row.
            scoring: how logits become scores.
        """
        super().__init__()
        self.row_shape = row_shape
        self.scoring: Scoring = scoring

    @abstractmethod
    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        """Outputs for the target rows of each window."""

    @abstractmethod
    def scores(self, rows: FeatureRows) -> Float[Tensor, "rows classes"]:
        """Scores in [0, 1] of every row of one video, including the first and the last."""

    @abstractmethod
    def init_from_features(self, rows: FeatureRows, *, seed: int) -> None:
        """Data-dependent initialization from training rows, for weights where random values do worse."""

    def chunks(self, rows: FeatureRows, count: int) -> Iterator[Float[Tensor, "n channels height width"]]:
        """Rows as float32 tensors on the head's device, at most `count` at a time."""
        device = next(self.parameters()).device
        for first in range(0, len(rows), count):
            chunk = np.ascontiguousarray(rows[first : first + count], dtype=np.float32)
            yield torch.from_numpy(chunk).to(device)


class WindowHead(Head):
    """A head whose only target row is the center of the window."""

    target_offsets = CENTER

    @abstractmethod
    def video_logits(self, rows: FeatureRows) -> Float[Tensor, "rows columns"]:
        """Logits of every row of one video, equal to `forward` on the window around each row."""

    @torch.inference_mode()
    def scores(self, rows: FeatureRows) -> Float[Tensor, "rows classes"]:
        """Scores in [0, 1] of every row of one video."""
        return class_scores(self.video_logits(rows), self.scoring)

    def classify(self, pooled: Float[Tensor, "batch width"]) -> Output:
        """Outputs for windows pooled to one vector each, with a target axis of length 1."""
        logits, second_logits = self.classifier(pooled)
        return Output(logits[:, None], None if second_logits is None else second_logits[:, None])
