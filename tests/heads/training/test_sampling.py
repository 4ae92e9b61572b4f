"""Balanced sampling of rows."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import GOLDEN

from bas.config import FitSettings
from bas.evaluate.dense_scores import SCORES_FILE, write_scores
from bas.heads.training.sampling import (
    OutOfFold,
    balance_classes,
    class_balanced,
    draw_rows,
    sampling_probabilities,
)
from bas.heads.training.training_set import AnnotatedVideo, targets_and_probabilities
from bas.types import Game, Scores, Spot, Video

_GOLDEN = json.loads((GOLDEN / "sampling_weights.json").read_text())


def test_probabilities_match_the_winner_of_2023() -> None:
    frames = np.arange(_GOLDEN["frames"])
    near = (np.abs(frames[:, None] - np.array(_GOLDEN["actions"])) <= _GOLDEN["action_window"] // 2).any(
        axis=1
    )
    weights = sampling_probabilities(near, action_probability=_GOLDEN["action_probability"])
    np.testing.assert_allclose(weights, _GOLDEN["plain"]["weights"], rtol=0, atol=1e-9)


def test_probabilities_of_hard_negatives_match_the_winner_of_2023() -> None:
    hard = _GOLDEN["hard_negative"]
    distance = np.abs(np.arange(_GOLDEN["frames"])[:, None] - np.array(_GOLDEN["actions"])).min(axis=1)
    scores = np.full(_GOLDEN["frames"], np.nan)
    scored = np.array(hard["scores"]).max(axis=1)
    scores[hard["first_scored_frame"] : hard["first_scored_frame"] + len(scored)] = scored
    weights = sampling_probabilities(
        distance <= _GOLDEN["action_window"] // 2,
        action_probability=_GOLDEN["action_probability"],
        out_of_fold=OutOfFold(scores, distance <= hard["clear_window"] // 2),
    )
    np.testing.assert_allclose(weights, hard["weights"], rtol=0, atol=1e-9)


def test_class_balanced_probabilities_give_every_class_the_same_share() -> None:
    near = np.zeros((50, 4), bool)
    near[:10, 0], near[20:22, 1], near[30:33, 3] = True, True, True
    weights = class_balanced(near)
    np.testing.assert_allclose([weights[near[:, k]].sum() for k in range(4)], [1 / 3, 1 / 3, 0, 1 / 3])
    np.testing.assert_allclose(weights.sum(), 1)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1), st.floats(0.05, 0.95))
def test_probabilities_sum_to_one_over_usable_rows(rows: list[tuple[bool, bool]], probability: float) -> None:
    near, usable = (np.array(column) for column in zip(*rows, strict=True))
    weights = sampling_probabilities(near, action_probability=probability, usable=usable)
    assert weights[~usable].sum() == 0
    np.testing.assert_allclose(weights.sum(), float(usable.any()))
    if (near & usable).any() and (~near & usable).any():
        np.testing.assert_allclose(weights[near].sum(), probability)


def test_rows_are_sampled_in_proportion_to_their_weights() -> None:
    weights = np.array([0.0, 0.5, 0.3, 0.0, 0.2, 0.0])
    counts = np.bincount(draw_rows(weights, 100_000, np.random.default_rng(0)), minlength=6) / 100_000
    np.testing.assert_allclose(counts, weights, atol=0.01)
    assert counts[[0, 3, 5]].sum() == 0


def _video(*spots: Spot) -> AnnotatedVideo:
    """100 rows, two frames apart."""
    video = Video(Path("a.mp4"), 1)
    return AnnotatedVideo(Game("a", (video,), None), video, spots, 2, Fraction(25), np.ones(100, bool))


def test_balancing_classes_gives_each_the_same_probability() -> None:
    near = np.zeros((100, 2), bool)
    near[:40, 0], near[50:52, 1] = True, True
    weights = sampling_probabilities(near[:, 0] | near[:, 1], action_probability=0.5)
    mixed = balance_classes(weights, near, share=1.0)
    assert mixed[near[:, 0]].sum() == pytest.approx(0.25)
    assert mixed[near[:, 1]].sum() == pytest.approx(0.25)
    assert mixed.sum() == pytest.approx(1.0)
    half = balance_classes(weights, near, share=0.5)
    np.testing.assert_allclose(half, (weights + mixed) / 2)


def test_rows_with_high_out_of_fold_scores_are_more_probable(tmp_path: Path) -> None:
    values = np.full((200, 1), 0.001, np.float32)
    values[120] = 0.9
    write_scores(tmp_path / "a" / SCORES_FILE, {1: Scores(values, ("PASS",), Fraction(25))})
    videos = [_video(Spot(1000, "PASS"))]
    settings = FitSettings()
    _, plain = targets_and_probabilities(videos, ("PASS",), settings)
    _, hard = targets_and_probabilities(videos, ("PASS",), settings, out_of_fold=tmp_path)
    background = plain[99]
    assert plain[60] == background
    assert hard[60] > 5 * hard[99]
    assert hard[12] == pytest.approx(plain[12])  # near the action


def test_the_class_probability_setting_raises_the_share_of_rare_classes() -> None:
    spots = (*(Spot(40 * frame, "PASS") for frame in range(0, 100, 10)), Spot(6000, "SHOT"))
    settings = FitSettings(class_probability=1.0)
    targets, weights = targets_and_probabilities([_video(*spots)], ("PASS", "SHOT"), settings)
    _, plain = targets_and_probabilities([_video(*spots)], ("PASS", "SHOT"), FitSettings())
    shots = targets[0].labels[:, 1] > 0
    assert weights[shots].sum() > 3 * plain[shots].sum()
