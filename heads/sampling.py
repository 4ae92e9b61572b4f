"""Which rows to train on: half of them near an action, whatever the action's share of a match."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64


def sampling_weights(
    near: Bool[np.ndarray, "rows"],
    *,
    action_probability: float,
    usable: Bool[np.ndarray, "rows"] | None = None,
) -> Float64[np.ndarray, "rows"]:
    """Probability of drawing each row: `action_probability` spread over the rows near an action.

    The balance of lRomul, ball-action-spotting, 2023. Rows that are not usable are never drawn;
    where all rows are near an action, or none, they share all of the probability.
    """
    allowed = np.ones(len(near), bool) if usable is None else usable
    inside, outside = near & allowed, ~near & allowed
    share = action_probability
    if not outside.any() or not inside.any():
        share = float(inside.any())
    weights = np.zeros(len(near))
    weights[inside] = share / max(1, inside.sum())
    weights[outside] = (1 - share) / max(1, outside.sum())
    return weights


def draw(
    weights: Float64[np.ndarray, "rows"], count: int, generator: np.random.Generator
) -> Int64[np.ndarray, "count"]:
    """`count` rows, with replacement, by their weights."""
    borders = np.cumsum(weights)
    rows: Int64[np.ndarray, "count"] = np.searchsorted(
        borders, generator.random(count) * borders[-1], "right"
    )
    return rows
