"""What a temporal head is: windows of rows in while it trains, whole matches in when it scores."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float, Float16, Int64
from torch import Tensor, nn

Rows = Float16[np.ndarray, "rows channels height width"]


class Head(nn.Module, ABC):
    """A light network on cached rows: one logit a class for the row a window is built around."""

    offsets: Int64[np.ndarray, "window"]
    """Rows of a window, relative to its center row; rows before the first and after the last repeat it."""

    @abstractmethod
    def forward(
        self, windows: Float[Tensor, "batch window channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the center rows."""

    @abstractmethod
    def match_logits(self, rows: Rows) -> Float[Tensor, "rows classes"]:
        """Logits of every row of one video, equal to `forward` on the window around each."""

    @abstractmethod
    def start(self, rows: Rows, *, seed: int) -> None:
        """Set the initial weights that are better read off training rows than drawn."""
