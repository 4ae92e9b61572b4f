"""The sequence of actions: shares, gaps and order, over many hours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bas.dataset.classes import BALL_CLASSES
from bas.synthetic.actions import FOLLOWERS, Action, Move, ProfileName, profile
from bas.synthetic.plan import FPS, Planned, plan

_MINUTES = 250
_PLANS: dict[ProfileName, tuple[Planned, ...]] = {}


def _planned(name: ProfileName) -> tuple[Planned, ...]:
    if name not in _PLANS:
        _PLANS[name] = plan(profile(name), frames=_MINUTES * 60 * FPS, rng=np.random.default_rng(7))
    return _PLANS[name]


def _gaps_seconds(name: ProfileName) -> np.ndarray:
    return np.diff([item.frame for item in _planned(name)]) / FPS


def test_actions_are_the_classes_of_the_dataset_in_their_order() -> None:
    assert tuple(Action) == BALL_CLASSES


@pytest.mark.parametrize("name", ["real", "even"])
def test_every_class_has_its_share(name: ProfileName) -> None:
    planned = _planned(name)
    wanted = profile(name).counts
    for action in Action:
        share = wanted[action] / sum(wanted.values())
        count = sum(item.move.action is action for item in planned)
        # Classes come in bursts, so three times the deviation of independent draws.
        assert abs(count - share * len(planned)) < 0.06 * share * len(planned) + 9 * np.sqrt(
            share * len(planned)
        ), action


def test_real_matches_have_eighteen_actions_a_minute() -> None:
    assert 17 < len(_planned("real")) / _MINUTES < 19


def test_even_matches_have_forty_actions_a_minute() -> None:
    assert 38 < len(_planned("even")) / _MINUTES < 42


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.1, 0.76), (0.25, 1.04), (0.5, 1.56), (0.75, 2.6), (0.9, 4.52)]
)
def test_gaps_of_real_matches_have_the_measured_quantiles(share: float, seconds: float) -> None:
    assert np.quantile(_gaps_seconds("real"), share) == pytest.approx(seconds, rel=0.06)


def test_short_gaps_are_as_common_as_in_real_matches() -> None:
    gaps = _gaps_seconds("real")
    assert np.mean(gaps < 1) == pytest.approx(0.208, abs=0.025)
    assert np.mean(gaps < 0.5) == pytest.approx(0.029, abs=0.01)


def test_the_shortest_gap_is_one_frame_and_no_two_actions_share_one() -> None:
    frames = np.array([item.frame for item in _planned("real")])
    assert np.diff(frames).min() == 1


@pytest.mark.parametrize("name", ["real", "even"])
def test_only_what_can_follow_follows(name: ProfileName) -> None:
    moves = [item.move for item in _planned(name)]
    assert moves[0] is Move.KICK_OFF
    for before, after in pairwise(moves):
        assert after in FOLLOWERS[before]
