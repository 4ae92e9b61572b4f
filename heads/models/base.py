"""Base classes of temporal heads: they train on windows of feature rows and score whole videos."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float16, Int64
from torch import Tensor, nn

from bas.config import ClipSettings, Scoring
from bas.heads.models.layers import AveragePool, GeneralizedMean, Standardize
from bas.heads.models.outputs import Classifier, Output, class_scores, displace, split_by_team

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

    @property
    def window_rows(self) -> int:
        """Number of rows from the first row of a window to its last, including those that it skips."""
        return int(self.offsets[-1] - self.offsets[0] + 1)

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


_OVERLAPPING = 4  # sequences over every row of a video

_CHUNK_ROWS = 1024

_CHUNK_SEQUENCES = 16


class SequenceHead(Head):
    """Pools each row to one vector and runs a network over the `clip_rows` vectors of a sequence."""

    def __init__(self, row_shape: tuple[int, int, int], settings: ClipSettings) -> None:
        super().__init__(row_shape, settings.scoring)
        channels, _, _ = row_shape
        self.offsets = np.arange(settings.clip_rows) - settings.clip_rows // 2
        self.target_offsets = self.offsets
        self.pooling = GeneralizedMean() if settings.pool == "gem" else AveragePool()
        self.standard = Standardize(channels)
        self.projection = nn.Identity() if channels == settings.dim else nn.Linear(channels, settings.dim)

    @abstractmethod
    def from_vectors(self, vectors: Float[Tensor, "batch sequence dim"]) -> Output:
        """Outputs for every vector of each sequence."""

    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        return self.from_vectors(self._vectors(windows))

    @torch.inference_mode()
    def scores(self, rows: FeatureRows) -> Float[Tensor, "rows classes"]:
        """Mean scores over the four sequences that contain a row, a quarter of a sequence apart.

        Sequences that start before the video, or end after it, give the rows at both ends four as well.
        """
        vectors = torch.cat([self._vectors(chunk) for chunk in self.chunks(rows, _CHUNK_ROWS)])
        length = len(self.offsets)
        step = max(1, length // _OVERLAPPING)
        # The earliest multiple of `step` whose sequence still reaches row 0.
        first = -step * ((length - 1) // step)
        starts = torch.arange(first, len(rows), step, device=vectors.device)
        indices = starts[:, None] + torch.arange(length, device=vectors.device)
        total: Tensor | None = None
        support = torch.zeros(len(rows), 1, device=vectors.device)
        for sequences in torch.split(indices, _CHUNK_SEQUENCES):
            # Beyond the ends the first or last row repeats, as in training windows.
            scores = self._sequence_scores(vectors[sequences.clamp(0, len(rows) - 1)])
            inside = (sequences >= 0) & (sequences < len(rows))
            if total is None:
                total = scores.new_zeros(len(rows), scores.shape[2])
            total.index_add_(0, sequences[inside], scores[inside])
            support.index_add_(0, sequences[inside], support.new_ones(int(inside.sum()), 1))
        assert total is not None
        return total / support

    @torch.no_grad()
    def init_from_features(self, rows: FeatureRows, *, seed: int) -> None:
        """Set the standardization from the pooled training rows."""
        self.standard.init_from_features(
            torch.cat([self.pooling(chunk) for chunk in self.chunks(rows, _CHUNK_ROWS)])
        )

    def _vectors(self, rows: Float[Tensor, "*batch channels height width"]) -> Float[Tensor, "*batch dim"]:
        vectors: Tensor = self.projection(self.standard(self.pooling(rows)))
        return vectors

    def _sequence_scores(
        self, vectors: Float[Tensor, "batch sequence dim"]
    ) -> Float[Tensor, "batch sequence classes"]:
        output = self.from_vectors(vectors)
        scores = class_scores(output.logits, self.scoring)
        displacement = output.displacement
        if output.team is not None:
            scores = split_by_team(scores, output.team.sigmoid())
            if displacement is not None and displacement.shape[2] > 1:  # per class; teams doubled the classes
                displacement = displacement.repeat_interleave(2, dim=2)
        return scores if displacement is None else displace(scores, displacement)
