"""Sampling probabilities of training rows, balanced between rows near actions and background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Scores of one video's rows by a model that was not trained on it."""

    scores: Float64[np.ndarray, "rows"]
    """Highest score over all classes; NaN if the row was not scored."""
    near_action: Bool[np.ndarray, "rows"]
    """Rows so close to an action that a high score is no mistake; they are not hard negatives."""


def sampling_probabilities(
    near: Bool[np.ndarray, "rows"],
    *,
    action_probability: float,
    usable: Bool[np.ndarray, "rows"] | None = None,
    out_of_fold: OutOfFold | None = None,
) -> Float64[np.ndarray, "rows"]:
    """Sampling probability of each row: `action_probability` is spread evenly over the rows near an action.

    With `out_of_fold`, background rows with higher scores become more probable (hard negatives). The
    balance is that of lRomul, ball-action-spotting, 2023. Unusable rows have probability 0. If all usable
    rows are near an action, or none is, they share the whole probability.
    """
    allowed = np.ones(len(near), bool) if usable is None else usable
    inside, outside = near & allowed, ~near & allowed
    share = action_probability
    # With rows of one kind only, that kind has the whole probability, or all have none.
    if not outside.any() or not inside.any():
        share = float(inside.any())
    weights = np.zeros(len(near))
    weights[inside] = share / max(1, inside.sum())
    weights[outside] = (1 - share) / max(1, outside.sum())
    if out_of_fold is None or not inside.any() or not outside.any():
        return weights
    # A score competes with the weight 1 of a row near an action; the background keeps its total mass.
    weights /= weights[inside][0]
    mass, plain = weights[outside].sum(), weights[outside][0]
    weights[outside] = np.fmax(weights[outside], out_of_fold.scores[outside])  # fmax ignores NaN
    # A high score beside an action is no mistake: such rows stay as probable as plain background.
    weights[outside & out_of_fold.near_action] = plain
    weights[outside] *= mass / weights[outside].sum()
    weights /= weights.sum()
    return weights


def class_balanced(near: Bool[np.ndarray, "rows classes"]) -> Float64[np.ndarray, "rows"]:
    """Sampling probability of each row if first a class is chosen uniformly, then a row near it.

    Only classes that occur are chosen.
    """
    # Divided by its count, each column is uniform over the rows of its class; the mean mixes the classes.
    counts = near.sum(axis=0)
    weights: Float64[np.ndarray, "rows"] = (near[:, counts > 0] / counts[counts > 0]).mean(axis=1)
    return weights


def balance_classes(
    weights: Float64[np.ndarray, "rows"], near: Bool[np.ndarray, "rows classes"], *, share: float
) -> Float64[np.ndarray, "rows"]:
    """Redistribute `share` of the probability of rows near actions evenly over the classes."""
    # The total near actions stays: what is taken from their rows in proportion comes back class by class.
    of_any = near.any(axis=1)
    mixed: Float64[np.ndarray, "rows"]
    mixed = np.where(of_any, (1 - share) * weights, weights) + share * weights[of_any].sum() * class_balanced(
        near
    )
    return mixed


def draw_rows(
    weights: Float64[np.ndarray, "rows"], count: int, generator: np.random.Generator
) -> Int64[np.ndarray, "count"]:
    """Sample `count` row numbers with replacement, in proportion to `weights`."""
    # Rows of weight 0 repeat the value before them, and side "right" skips repeated values.
    cumulative = np.cumsum(weights)
    rows: Int64[np.ndarray, "count"] = np.searchsorted(
        cumulative, generator.random(count) * cumulative[-1], "right"
    )
    return rows


def jitter_steps(shape: tuple[int, ...], generator: np.random.Generator) -> Int64[np.ndarray, "..."]:
    """Random steps of jittered rows or frames: -1, 0 or 1 (lRomul, ball-action-spotting, 2023)."""
    steps: Int64[np.ndarray, "..."] = generator.choice((-1, 0, 1), shape, p=(0.2, 0.6, 0.2))
    return steps
