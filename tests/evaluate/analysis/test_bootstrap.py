"""Resampled scores equal the official one without resampling, and share the resamples between systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bas.evaluate.analysis import bootstrap
from bas.evaluate.analysis.bootstrap import draw_block_counts, percentile_interval, resampled_mean_ap
from bas.evaluate.scoring.score import score_documents
from bas.types import Prediction, Spot

_CLASSES = ("PASS", "DRIVE", "GOAL")
_MINUTE_MS = 60_000


def _prediction(position_ms: int, label: str, confidence: float) -> Prediction:
    return Prediction(position_ms=position_ms, half=1, label=label, confidence=confidence, team=None)


def _games(
    seed: int, *, matches: int, spots: int
) -> tuple[dict[str, list[Spot]], dict[str, list[Prediction]]]:
    """Annotations over seven minutes, and predictions near most of them and elsewhere; GOAL never occurs."""
    random = np.random.default_rng(seed)
    labels: dict[str, list[Spot]] = {}
    predictions: dict[str, list[Prediction]] = {}
    for match in range(matches):
        times = random.integers(0, 7 * _MINUTE_MS, spots)
        names = random.choice(_CLASSES[:2], spots)
        labels[f"match {match}"] = [Spot(int(t), str(n)) for t, n in zip(times, names, strict=True)]
        near = np.clip(times + random.integers(-700, 700, spots), 0, None)
        far = random.integers(0, 7 * _MINUTE_MS, spots)
        predictions[f"match {match}"] = [
            _prediction(int(t), str(n), float(c))
            for t, n, c in zip(
                [*near, *far], [*names, *names[::-1]], np.round(random.random(2 * spots), 2), strict=True
            )
        ]
    return labels, predictions


def _resampled(
    labels: Mapping[str, Sequence[Spot]], *systems: Mapping[str, Sequence[Prediction]], seed: int = 0
) -> np.ndarray:
    return resampled_mean_ap(labels, systems, classes=_CLASSES, resamples=50, seed=seed)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), tolerance=st.sampled_from(["1", "1,2,5", "tight"]))
def test_every_block_once_is_the_official_score(seed: int, tolerance: str) -> None:
    labels, predictions = _games(seed, matches=2, spots=15)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bootstrap, "draw_block_counts", lambda blocks, **_: np.ones((1, sum(blocks))))
        once = resampled_mean_ap(labels, [predictions], classes=_CLASSES, tolerance=tolerance)
    official = score_documents(labels, predictions, classes=_CLASSES, tolerance=tolerance).mean_ap
    assert once[0, 0] == pytest.approx(official, abs=1e-12)


def test_systems_with_the_same_predictions_do_not_differ() -> None:
    labels, predictions = _games(1, matches=2, spots=20)
    one, other = _resampled(labels, predictions, predictions)
    assert (one == other).all()
    assert percentile_interval(one - other).low == percentile_interval(one - other).high == 0


def test_a_system_that_misses_more_everywhere_is_significantly_worse() -> None:
    labels, predictions = _games(2, matches=2, spots=40)
    perfect = {
        game: [_prediction(spot.position_ms, spot.label, 0.9) for spot in spots]
        for game, spots in labels.items()
    }
    one, other = _resampled(labels, perfect, predictions)
    assert percentile_interval(one - other).low > 0
    assert (one > other).all()


def test_the_resamples_depend_only_on_the_seed() -> None:
    labels, predictions = _games(3, matches=2, spots=20)
    assert (_resampled(labels, predictions) == _resampled(labels, predictions)).all()
    assert (_resampled(labels, predictions) != _resampled(labels, predictions, seed=1)).any()


def test_blocks_are_resampled_within_their_match() -> None:
    weights = draw_block_counts([7, 3, 90], resamples=200, seed=0)
    for first, last, count in ((0, 7, 7), (7, 10, 3), (10, 100, 90)):
        assert (weights[:, first:last].sum(axis=1) == count).all()
    assert (weights[:, :7] != 1).any()


def test_a_match_without_spots_or_detections_adds_no_blocks() -> None:
    labels, predictions = _games(4, matches=2, spots=20)
    empty: tuple[dict[str, list[Spot]], dict[str, list[Prediction]]] = ({"none": []}, {"none": []})
    assert draw_block_counts([7, 0, 3], resamples=20, seed=0).shape == (20, 10)
    assert 0 < _resampled(labels | empty[0], predictions | empty[1]).max() < 1
    assert (_resampled(*empty) == 0).all()


def test_from_five_matches_on_matches_are_resampled_too() -> None:
    weights = draw_block_counts([4] * 5, resamples=200, seed=0)
    of_match = weights.reshape(200, 5, 4).sum(axis=2)
    assert (of_match.sum(axis=1) == 20).all()
    assert (of_match % 4 == 0).all()
    assert {0, 4, 8} <= set(of_match.ravel().tolist())


def test_a_class_absent_from_a_resample_does_not_lower_its_score() -> None:
    labels = {"m": [Spot(1000, "PASS"), Spot(5 * _MINUTE_MS, "DRIVE")]}
    predictions = {"m": [_prediction(1000, "PASS", 0.9), _prediction(5 * _MINUTE_MS, "DRIVE", 0.9)]}
    values = _resampled(labels, predictions)[0]
    assert values.max() == pytest.approx(2 / 3)
    assert set(np.round(values, 6)) <= {0.0, round(2 / 3, 6)}  # 0 if neither was drawn


def test_an_empty_match_does_not_change_the_score() -> None:
    labels: dict[str, list[Spot]] = {"a": [Spot(1000, "PASS")], "b": []}
    predictions = {"a": [Prediction(1000, 1, "PASS", 0.5, None)], "b": []}
    assert (resampled_mean_ap(labels, [predictions], classes=("PASS",), resamples=5) == 1.0).all()
