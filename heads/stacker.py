"""The whole model: the encoder that fills the cache, the cache's pooling, and the head that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bas.config import Pipeline
from bas.extract.encoder import Encoder
from bas.extract.stacks import canvas_of
from bas.heads.head import Head, Rows


@dataclass(frozen=True, slots=True)
class RowSpotter:
    """A head that scores cached rows."""

    head: Head
    classes: tuple[str, ...]

    def score_rows(self, rows: Rows, *, rate: Fraction) -> Float[np.ndarray, "rows classes"]:
        """Scores in [0, 1] of every row of one video; a head counts rows, so `rate` changes nothing."""
        was_training = self.head.training
        self.head.eval()
        scores = self.head.match_logits(rows).sigmoid().cpu().numpy()
        self.head.train(was_training)
        return scores


class Stacker(nn.Module):
    """Luma in, logits out; or cached rows in, scores out: the two paths are one model."""

    folder: Path | None = None
    """Where the model was loaded from."""

    def __init__(self, encoder: Encoder, head: Head, *, settings: Pipeline, classes: tuple[str, ...]) -> None:
        """
        Args:
            encoder: of the rows that `head` was fitted on.
            head: reads those rows.
            settings: of the whole pipeline.
            classes: names of the head's outputs.
        """
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.settings = settings
        self.classes = classes

    @property
    def device(self) -> torch.device:
        """Where the head computes."""
        return next(self.head.parameters()).device

    @property
    def ticks(self) -> range:
        """Ticks of the clock that a window is made of, relative to its center."""
        hop, stack = self.settings.extract.hop, self.settings.extract.stack
        first, last = int(self.head.offsets[0]), int(self.head.offsets[-1])
        return range(first * hop + min(stack), last * hop + max(stack) + 1)

    def forward(self, luma: Float[Tensor, "batch ticks height width"]) -> Float[Tensor, "batch classes"]:
        """Logits of the center of windows of pictures in [0, 1], one picture for each of `ticks`."""
        hop, stack = self.settings.extract.hop, self.settings.extract.stack
        places = self.head.offsets[:, None] * hop + np.array(stack) - self.ticks.start
        stacks = rearrange(luma[:, torch.from_numpy(places)], "b w s y x -> (b w) s y x")
        rows = rearrange(self.rows(stacks), "(b w) c y x -> b w c y x", b=len(luma))
        logits: Tensor = self.head(rows)
        return logits

    def rows(self, stacks: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n channels gh gw"]:
        """What the cache holds of stacks of pictures in [0, 1], before it is rounded to float16."""
        canvas = canvas_of(self.settings.extract)
        rows, columns = canvas.inside
        padded = stacks.new_zeros(len(stacks), 3, *canvas.padded)
        padded[:, :, rows, columns] = stacks
        return functional.adaptive_avg_pool2d(self.encoder(padded), self.settings.extract.grid)

    def score_rows(self, rows: Rows, *, rate: Fraction) -> Float[np.ndarray, "rows classes"]:
        """Scores in [0, 1] of every cached row of one video."""
        return RowSpotter(self.head, self.classes).score_rows(rows, rate=rate)
