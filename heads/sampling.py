"""Which rows to train on: half of them near an action, whatever the action's share of a match."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Suspects:
    """What a model that never saw a video said of its rows."""

    scores: Float64[np.ndarray, "rows"]
    """The highest score of any class; NaN where there is none."""
    clear: Bool[np.ndarray, "rows"]
    """Rows so close to an action that a high score is no mistake."""


def sampling_weights(
    near: Bool[np.ndarray, "rows"],
    *,
    action_probability: float,
    usable: Bool[np.ndarray, "rows"] | None = None,
    suspects: Suspects | None = None,
) -> Float64[np.ndarray, "rows"]:
    """Probability of drawing each row: `action_probability` spread over the rows near an action.

    With `suspects`, rows away from actions are drawn the more the higher they scored. The balance of
    lRomul, ball-action-spotting, 2023. Rows that are not usable are never drawn; where all rows are
    near an action, or none, they share all of the probability.
    """
    allowed = np.ones(len(near), bool) if usable is None else usable
    inside, outside = near & allowed, ~near & allowed
    share = action_probability
    if not outside.any() or not inside.any():
        share = float(inside.any())
    weights = np.zeros(len(near))
    weights[inside] = share / max(1, inside.sum())
    weights[outside] = (1 - share) / max(1, outside.sum())
    if suspects is None or not inside.any() or not outside.any():
        return weights
    weights /= weights[inside][0]  # scores are held against the weight 1 of a row near an action
    mass, plain = weights[outside].sum(), weights[outside][0]
    weights[outside] = np.fmax(weights[outside], suspects.scores[outside])
    weights[outside & suspects.clear] = plain
    weights[outside] *= mass / weights[outside].sum()
    weights /= weights.sum()
    return weights


def even_weights(near: Bool[np.ndarray, "rows classes"]) -> Float64[np.ndarray, "rows"]:
    """Probability of drawing each row if a class is drawn first, all that occur alike, then a row near it."""
    counts = near.sum(axis=0)
    weights: Float64[np.ndarray, "rows"] = (near[:, counts > 0] / counts[counts > 0]).mean(axis=1)
    return weights


def class_first(
    weights: Float64[np.ndarray, "rows"], near: Bool[np.ndarray, "rows classes"], *, share: float
) -> Float64[np.ndarray, "rows"]:
    """Give a share of the weight of the rows near actions to all classes alike."""
    of_any = near.any(axis=1)
    mixed: Float64[np.ndarray, "rows"]
    mixed = np.where(of_any, (1 - share) * weights, weights) + share * weights[of_any].sum() * even_weights(
        near
    )
    return mixed


def draw(
    weights: Float64[np.ndarray, "rows"], count: int, generator: np.random.Generator
) -> Int64[np.ndarray, "count"]:
    """`count` rows, with replacement, by their weights."""
    borders = np.cumsum(weights)
    rows: Int64[np.ndarray, "count"] = np.searchsorted(
        borders, generator.random(count) * borders[-1], "right"
    )
    return rows
