"""Balanced drawing of rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bas.config import FitSettings
from bas.evaluate.dense import SCORES_FILE, write_scores
from bas.heads.material import lay_out
from bas.heads.sampling import Suspects, class_first, draw, even_weights, sampling_weights
from bas.types import Game, Scores, Spot, Video

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


_GAME = Game("a", (Video(Path("a.mp4"), 1),), None)


@dataclass(frozen=True, slots=True)
class _Video:
    """100 rows, two ticks apart."""

    spots: tuple[Spot, ...]
    game: Game = _GAME
    video: Video = _GAME.videos[0]
    hop: int = 2
    rate: Fraction = Fraction(25)

    @property
    def valid(self) -> np.ndarray:
        return np.ones(100, bool)


def test_classes_that_are_drawn_first_are_drawn_alike() -> None:
    near = np.zeros((100, 2), bool)
    near[:40, 0], near[50:52, 1] = True, True
    weights = sampling_weights(near[:, 0] | near[:, 1], action_probability=0.5)
    mixed = class_first(weights, near, share=1.0)
    assert mixed[near[:, 0]].sum() == pytest.approx(0.25)
    assert mixed[near[:, 1]].sum() == pytest.approx(0.25)
    assert mixed.sum() == pytest.approx(1.0)
    half = class_first(weights, near, share=0.5)
    np.testing.assert_allclose(half, (weights + mixed) / 2)


def test_rows_that_scored_high_out_of_fold_are_drawn_more(tmp_path: Path) -> None:
    values = np.full((200, 1), 0.001, np.float32)
    values[120] = 0.9
    write_scores(tmp_path / "a" / SCORES_FILE, {1: Scores(values, ("PASS",), Fraction(25))})
    videos = [_Video((Spot(1000, "PASS"),))]
    settings = FitSettings()
    _, plain = lay_out(videos, ("PASS",), settings)
    _, hard = lay_out(videos, ("PASS",), settings, out_of_fold=tmp_path)
    background = plain[99]
    assert plain[60] == background
    assert hard[60] > 5 * hard[99]
    assert hard[12] == pytest.approx(plain[12])  # near the action


def test_a_share_of_classes_reaches_the_layout() -> None:
    spots = (*(Spot(40 * tick, "PASS") for tick in range(0, 100, 10)), Spot(6000, "SHOT"))
    settings = FitSettings(class_probability=1.0)
    targets, weights = lay_out([_Video(spots)], ("PASS", "SHOT"), settings)
    _, plain = lay_out([_Video(spots)], ("PASS", "SHOT"), FitSettings())
    shots = targets[0].labels[:, 1] > 0
    assert weights[shots].sum() > 3 * plain[shots].sum()
