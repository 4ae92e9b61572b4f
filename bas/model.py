"""Protocol of models that score the cached feature rows of a video."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float16


@runtime_checkable
class SpottingModel(Protocol):
    """Scores every cached feature row of one video."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the score columns, in order."""

    def score_rows(
        self, rows: Float16[np.ndarray, "rows channels height width"], *, rate: Fraction
    ) -> Float[np.ndarray, "rows classes"]:
        """Scores in [0, 1] for every row of one video, including the first and the last.

        Args:
            rows: feature rows in frame order, usually memory-mapped from a cache: read them in chunks.
            rate: rows per second.
        """
