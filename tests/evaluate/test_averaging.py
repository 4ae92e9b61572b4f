"""Mean scores of several models, or of both views of one model, and selection of ensemble weights."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bas.config import PostprocessSettings
from bas.evaluate.averaging import mean_scores, unmirror
from bas.evaluate.ensemble_weights import select_weights
from bas.types import DenseScores, Scores, Spot


def _scores(column: list[float], fps: int = 25) -> Scores:
    return Scores(np.array(column, dtype=np.float32)[:, None], ("PASS",), Fraction(fps))


def test_the_mean_is_weighted() -> None:
    mean = mean_scores([_scores([0, 1, 1]), _scores([1, 1, 0])], [0.25, 0.75])
    assert mean.values[:, 0].tolist() == [0.75, 1, 0.25]
    assert mean.values.dtype == np.float32


def test_a_slower_clock_is_interpolated_to_the_faster_one_and_held_at_its_end() -> None:
    mean = mean_scores([_scores([0, 1, 0], 25), _scores([0, 0, 0, 0, 0, 0], 50)], [1.0, 0.0])
    assert mean.fps == 50
    assert mean.values[:, 0].tolist() == [0, 0.5, 1, 0.5, 0, 0]


def test_a_bump_stays_where_it_is_between_clocks_of_another_ratio() -> None:
    seconds = np.arange(0, 10, 1 / 25)
    slow = Scores(
        np.exp(-((seconds - 4) ** 2)).astype(np.float32)[:, None], ("PASS",), Fraction(30000, 1001) / 2
    )
    fast = Scores(np.zeros((1200, 1), dtype=np.float32), ("PASS",), Fraction(30000, 1001))
    mean = mean_scores([slow, fast], [0.5, 0.5])
    assert int(mean.values[:, 0].argmax()) / mean.fps == int(slow.values[:, 0].argmax()) / slow.fps


def test_one_that_ends_before_another_holds_its_last_scores() -> None:
    assert mean_scores([_scores([1, 1]), _scores([0, 0, 0])], [0.5, 0.5]).values[:, 0].tolist() == [0.5] * 3


def test_teams_change_sides_in_the_mirrored_view() -> None:
    names = ("PASS-left", "PASS-right", "Kick-off")
    back = unmirror(Scores(np.array([[0.1, 0.2, 0.3]], dtype=np.float32), names, Fraction(25)))
    assert back.classes == names
    np.testing.assert_array_equal(back.values, np.array([[0.2, 0.1, 0.3]], dtype=np.float32))


def test_complementary_members_share_the_weight_and_noise_gets_none() -> None:
    frames = np.arange(100, 2000, 200)
    labels = {"A - B": tuple(Spot(40 * int(frame) + 4, "PASS") for frame in frames)}
    early, late, noise = _scores_at(frames[:5]), _scores_at(frames[5:]), _scores_at(frames + 60)
    weights = select_weights([early, late, noise], labels, ("PASS",), PostprocessSettings())
    assert weights[2] == 0
    assert min(weights[:2]) > 0


def test_identical_members_have_equal_weights() -> None:
    frames = np.arange(100, 2000, 200)
    labels = {"A - B": tuple(Spot(40 * int(frame) + 4, "PASS") for frame in frames)}
    one = _scores_at(frames[:5])
    assert select_weights([one, one], labels, ("PASS",), PostprocessSettings()) == [0.5, 0.5]


def _scores_at(frames: np.ndarray) -> DenseScores:
    values = np.zeros((2100, 1), dtype=np.float32)
    values[frames] = 1
    return {"A - B": {1: Scores(values, ("PASS",), Fraction(25))}}
