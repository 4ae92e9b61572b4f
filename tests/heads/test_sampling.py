"""Balanced drawing of rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bas.heads.sampling import Suspects, draw, even_weights, sampling_weights

_GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sampling_weights.json").read_text())


def test_weights_are_those_of_the_winner_of_2023() -> None:
    frames = np.arange(_GOLDEN["frames"])
    near = (np.abs(frames[:, None] - np.array(_GOLDEN["actions"])) <= _GOLDEN["action_window"] // 2).any(
        axis=1
    )
    weights = sampling_weights(near, action_probability=_GOLDEN["action_probability"])
    np.testing.assert_allclose(weights, _GOLDEN["plain"]["weights"], rtol=0, atol=1e-9)


def test_frames_scored_high_without_cause_are_drawn_as_by_the_winner_of_2023() -> None:
    hard = _GOLDEN["hard_negative"]
    distance = np.abs(np.arange(_GOLDEN["frames"])[:, None] - np.array(_GOLDEN["actions"])).min(axis=1)
    scores = np.full(_GOLDEN["frames"], np.nan)
    scored = np.array(hard["scores"]).max(axis=1)
    scores[hard["first_scored_frame"] : hard["first_scored_frame"] + len(scored)] = scored
    weights = sampling_weights(
        distance <= _GOLDEN["action_window"] // 2,
        action_probability=_GOLDEN["action_probability"],
        suspects=Suspects(scores, distance <= hard["clear_window"] // 2),
    )
    np.testing.assert_allclose(weights, hard["weights"], rtol=0, atol=1e-9)


def test_classes_drawn_first_have_all_the_same_share() -> None:
    near = np.zeros((50, 4), bool)
    near[:10, 0], near[20:22, 1], near[30:33, 3] = True, True, True
    weights = even_weights(near)
    np.testing.assert_allclose([weights[near[:, k]].sum() for k in range(4)], [1 / 3, 1 / 3, 0, 1 / 3])
    np.testing.assert_allclose(weights.sum(), 1)


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
