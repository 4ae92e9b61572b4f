"""The contract between a model and whoever slides it over a match."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float16


@runtime_checkable
class SpottingModel(Protocol):
    """Anything that turns the cached rows of one video into scores."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the score columns, in order."""

    def score_rows(
        self, rows: Float16[np.ndarray, "rows channels height width"], *, rate: Fraction
    ) -> Float[np.ndarray, "rows classes"]:
        """Scores in [0, 1] for every row of one video, the first and the last too.

        Args:
            rows: features in frame order, usually mapped from a cache: read them in pieces.
            rate: rows a second.
        """
