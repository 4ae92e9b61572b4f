"""What passes each confidence of a class, how much of it is right, and where F1 is highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from bas.evaluate.precision import Cells, taken

_LEAST_PRECISION = 0.1  # below which a list of events is noise to those who look through it


@dataclass(frozen=True, slots=True)
class Passing:
    """Claims of one class from every distinct confidence on, the highest first."""

    levels: Float64[np.ndarray, "levels"]
    right: Int64[np.ndarray, "levels"]
    claimed: Int64[np.ndarray, "levels"]
    num_spots: int

    @property
    def best(self) -> float | None:
        """Confidence of highest F1; None where no claim or no spot is."""
        return self._highest_f1(least_precision=0.0)

    @property
    def worth_showing(self) -> float | None:
        """The same among those from which on one claim in ten is right; None where none is so."""
        return self._highest_f1(least_precision=_LEAST_PRECISION)

    def _highest_f1(self, *, least_precision: float) -> float | None:
        there = self.right >= least_precision * self.claimed
        if not self.num_spots or not there.any():
            return None
        f1 = 2 * self.right / (self.claimed + self.num_spots)
        return float(self.levels[np.argmax(np.where(there, f1, -1.0))])


def passing(pairs: Sequence[tuple[Cells, Cells]], *, reach: int) -> Passing:
    """Count at every distinct confidence.

    Claims are matched once. Those that pass a threshold would be matched alike if they were alone: a
    spot takes the surest claim in reach, so none below the threshold was ever taken before one above.

    Args:
        pairs: spots and claims of one class, by timeline.
        reach: frames that a claim may lie away, to either side.
    """
    scores = np.concatenate([np.zeros(0), *(claims.values for _, claims in pairs)])
    hits = np.concatenate(
        [np.zeros(0, bool), *(taken(spots, claims, reach=reach) for spots, claims in pairs)]
    )
    order = np.argsort(-scores, kind="stable")
    levels = scores[order]
    last = np.flatnonzero(np.append(levels[1:] < levels[:-1], True)[: len(levels)])  # equals pass together
    return Passing(
        levels[last],
        np.cumsum(hits[order])[last],
        last + 1,
        num_spots=sum(len(spots.frames) for spots, _ in pairs),
    )
