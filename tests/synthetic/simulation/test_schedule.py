"""Scheduled actions over several hours: class shares, gaps and order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bas.dataset.classes import BALL_CLASSES
from bas.synthetic.simulation.actions import FOLLOWERS, Action, Move, ProfileName, profile
from bas.synthetic.simulation.schedule import FPS, ScheduledMove, schedule

_MINUTES = 250
_SCHEDULES: dict[ProfileName, tuple[ScheduledMove, ...]] = {}


def _scheduled(name: ProfileName) -> tuple[ScheduledMove, ...]:
    if name not in _SCHEDULES:
        _SCHEDULES[name] = schedule(profile(name), frames=_MINUTES * 60 * FPS, rng=np.random.default_rng(7))
    return _SCHEDULES[name]


def _gaps_seconds(name: ProfileName) -> np.ndarray:
    return np.diff([scheduled.frame for scheduled in _scheduled(name)]) / FPS


def test_actions_are_the_dataset_classes_in_order() -> None:
    assert tuple(Action) == BALL_CLASSES


@pytest.mark.parametrize("name", ["real", "even"])
def test_every_class_has_its_target_share(name: ProfileName) -> None:
    moves = _scheduled(name)
    target_counts = profile(name).counts
    for action in Action:
        share = target_counts[action] / sum(target_counts.values())
        count = sum(scheduled.move.action is action for scheduled in moves)
        # Classes come in bursts, so allow three times the 3-sigma bound of independent samples.
        assert abs(count - share * len(moves)) < 0.06 * share * len(moves) + 9 * np.sqrt(
            share * len(moves)
        ), action


def test_real_matches_have_eighteen_actions_a_minute() -> None:
    assert 17 < len(_scheduled("real")) / _MINUTES < 19


def test_even_matches_have_forty_actions_a_minute() -> None:
    assert 38 < len(_scheduled("even")) / _MINUTES < 42


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.1, 0.76), (0.25, 1.04), (0.5, 1.56), (0.75, 2.6), (0.9, 4.52)]
)
def test_gaps_of_real_matches_have_the_measured_quantiles(share: float, seconds: float) -> None:
    assert np.quantile(_gaps_seconds("real"), share) == pytest.approx(seconds, rel=0.06)


def test_short_gaps_are_as_common_as_in_real_matches() -> None:
    gaps = _gaps_seconds("real")
    assert np.mean(gaps < 1) == pytest.approx(0.208, abs=0.025)
    assert np.mean(gaps < 0.5) == pytest.approx(0.029, abs=0.01)


def test_the_shortest_gap_is_one_frame_and_no_two_actions_share_a_frame() -> None:
    frames = np.array([scheduled.frame for scheduled in _scheduled("real")])
    assert np.diff(frames).min() == 1


@pytest.mark.parametrize("name", ["real", "even"])
def test_moves_only_follow_allowed_predecessors(name: ProfileName) -> None:
    moves = [scheduled.move for scheduled in _scheduled(name)]
    assert moves[0] is Move.KICK_OFF
    for before, after in pairwise(moves):
        assert after in FOLLOWERS[before]
