"""The whole model: the encoder that fills the cache, the cache's pooling, and the head that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from bas.config import PeaksSettings, Pipeline
from bas.extract.encoder import Encoder
from bas.extract.stacks import Canvas
from bas.heads.head import Head, Rows, WindowHead
from bas.heads.outputs import Output


@dataclass(frozen=True, slots=True)
class RowSpotter:
    """A head that scores cached rows."""

    head: Head
    classes: tuple[str, ...]

    def score_rows(self, rows: Rows, *, rate: Fraction) -> Float[np.ndarray, "rows classes"]:
        """Scores in [0, 1] of every row of one video; a head counts rows, so `rate` changes nothing."""
        was_training = self.head.training
        self.head.eval()
        scores = self.head.scores(rows).cpu().numpy()
        self.head.train(was_training)
        return scores


class SpottingModule(nn.Module):
    """A head with its settings and the names of its scores."""

    folder: Path | None = None
    """Where the model was loaded from."""
    untuned: PeaksSettings | None = None
    """The post-processing that was there before one was found on the validation matches; None: none was."""

    def __init__(self, head: Head, *, settings: Pipeline, classes: tuple[str, ...]) -> None:
        """
        Args:
            head: reads rows.
            settings: of the whole pipeline.
            classes: names of the columns of the head's scores.
        """
        super().__init__()
        self.head = head
        self.settings = settings
        self.classes = classes

    @property
    def device(self) -> torch.device:
        """Where the head computes."""
        return next(self.head.parameters()).device

    def score_rows(self, rows: Rows, *, rate: Fraction) -> Float[np.ndarray, "rows classes"]:
        """Scores in [0, 1] of every cached row of one video."""
        return RowSpotter(self.head, self.classes).score_rows(rows, rate=rate)

    def speak(self, windows: Float[Tensor, "batch window channels height width"]) -> Tensor | Output:
        """Logits (batch, columns) of a head that tells of one row; all of its output of one that tells of a clip."""
        output: Output = self.head(windows)
        return output.logits[:, 0] if isinstance(self.head, WindowHead) else output


class RowModel(SpottingModule):
    """A head without its encoder: vectors of frames in, logits out."""

    def forward(self, rows: Float[Tensor, "batch window channels"]) -> Tensor | Output:
        """What the head says of windows of rows, as `speak` tells it."""
        return self.speak(rearrange(rows, "b t c -> b t c 1 1"))


class Stacker(SpottingModule):
    """Luma in, logits out; or cached rows in, scores out: the two paths are one model."""

    def __init__(self, encoder: Encoder, head: Head, *, settings: Pipeline, classes: tuple[str, ...]) -> None:
        """
        Args:
            encoder: of the rows that `head` was fitted on.
            head: reads those rows.
            settings: of the whole pipeline.
            classes: names of the columns of the head's scores.
        """
        super().__init__(head, settings=settings, classes=classes)
        self.encoder = encoder

    @property
    def ticks(self) -> tuple[int, ...]:
        """Ticks of the clock that a window is made of, relative to its center, in order."""
        return tuple(np.unique(self._stacks()).tolist())

    def forward(self, luma: Float[Tensor, "batch ticks height width"]) -> Tensor | Output:
        """What the head says of windows of pictures in [0, 1], one picture for each of `ticks`.

        Pictures of any size; where their maps are larger than the grid they are averaged to it.
        """
        stacks = self._stacks()
        places = torch.from_numpy(np.searchsorted(np.unique(stacks), stacks))
        rows = self.rows(rearrange(luma[:, places], "b w s y x -> (b w) s y x"))
        return self.speak(rearrange(rows, "(b w) c y x -> b w c y x", b=len(luma)))

    def rows(self, stacks: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n channels gh gw"]:
        """What the cache holds of stacks of pictures in [0, 1], before it is rounded to float16."""
        canvas = Canvas(*stacks.shape[2:])
        rows, columns = canvas.inside
        padded = canvas.empty(len(stacks), device=stacks.device, dtype=stacks.dtype)
        padded[:, :, rows, columns] = stacks
        maps = self.encoder(padded)
        grid = tuple(map(min, self.settings.extract.grid, maps.shape[2:]))
        return functional.adaptive_avg_pool2d(maps.float(), grid)

    def _stacks(self) -> Int64[np.ndarray, "window 3"]:
        """Ticks of each stack of a window."""
        extract = self.settings.extract
        ticks: Int64[np.ndarray, "window 3"] = self.head.offsets[:, None] * extract.hop + np.array(
            extract.stack
        )
        return ticks
