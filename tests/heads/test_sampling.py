"""Balanced drawing of rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bas.heads.sampling import draw, sampling_weights

_GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sampling_weights.json").read_text())


def test_weights_are_those_of_the_winner_of_2023() -> None:
    frames = np.arange(_GOLDEN["frames"])
    near = (np.abs(frames[:, None] - np.array(_GOLDEN["actions"])) <= _GOLDEN["action_window"] // 2).any(
        axis=1
    )
    weights = sampling_weights(near, action_probability=_GOLDEN["action_probability"])
    np.testing.assert_allclose(weights, _GOLDEN["plain"]["weights"], rtol=0, atol=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1), st.floats(0.05, 0.95))
def test_weights_sum_to_one_over_usable_rows(rows: list[tuple[bool, bool]], probability: float) -> None:
    near, usable = (np.array(column) for column in zip(*rows, strict=True))
    weights = sampling_weights(near, action_probability=probability, usable=usable)
    assert weights[~usable].sum() == 0
    np.testing.assert_allclose(weights.sum(), float(usable.any()))
    if (near & usable).any() and (~near & usable).any():
        np.testing.assert_allclose(weights[near].sum(), probability)


def test_rows_are_drawn_as_often_as_their_weights_say() -> None:
    weights = np.array([0.0, 0.5, 0.3, 0.0, 0.2, 0.0])
    counts = np.bincount(draw(weights, 100_000, np.random.default_rng(0)), minlength=6) / 100_000
    np.testing.assert_allclose(counts, weights, atol=0.01)
    assert counts[[0, 3, 5]].sum() == 0
