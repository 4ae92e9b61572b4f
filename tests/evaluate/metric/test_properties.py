"""Properties of the score that hold for any labels and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bas.evaluate.scoring.score import Evaluation, score_documents
from bas.types import Prediction, Spot

_CLASSES = ("PASS", "DRIVE", "SHOT", "GOAL")
_ms = st.integers(0, 60_000)
_spots = st.lists(
    st.builds(Spot, position_ms=_ms, label=st.sampled_from(_CLASSES)),
    max_size=12,
    unique_by=lambda spot: (spot.position_ms // 40, spot.label),
)
_predictions = st.lists(
    st.builds(
        Prediction,
        position_ms=_ms,
        half=st.just(1),
        label=st.sampled_from(_CLASSES),
        confidence=st.floats(0, 1),
        team=st.none(),
    ),
    max_size=20,
    unique_by=lambda prediction: (prediction.position_ms // 20, prediction.label),
)


def _score(spots: Sequence[Spot], predictions: Sequence[Prediction]) -> Evaluation:
    return score_documents({"a": spots}, {"a": predictions}, classes=_CLASSES)


@given(_spots, _predictions, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_entries_changes_nothing(
    spots: list[Spot], predictions: list[Prediction], random: Any
) -> None:
    last = {
        (int(25 * c.position_ms / 1000), c.label): c for c in predictions
    }  # of one class and frame, the last counts
    ordered = list(last.values())
    shuffled_spots, shuffled = list(spots), list(ordered)
    random.shuffle(shuffled_spots)
    random.shuffle(shuffled)
    one, other = _score(spots, ordered), _score(shuffled_spots, shuffled)
    assert [row.ap for row in one.classes] == [row.ap for row in other.classes]
    assert one.mean_ap_exact == other.mean_ap_exact


@given(_spots, st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_detections_equal_to_the_labels_score_the_fraction_of_classes_that_occur(
    spots: list[Spot], confidence: float
) -> None:
    predictions = [Prediction(spot.position_ms, 1, spot.label, confidence, None) for spot in spots]
    occurring = len({spot.label for spot in spots})
    assert _score(spots, predictions).mean_ap == pytest.approx(occurring / len(_CLASSES))


@given(_spots, _predictions, _ms, st.sampled_from(_CLASSES), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_a_false_positive_outside_every_window_never_raises_the_exact_score(
    spots: list[Spot], predictions: list[Prediction], position_ms: int, label: str, confidence: float
) -> None:
    false_positive = Prediction(position_ms, 1, label, confidence, None)
    frame = _frame(position_ms)
    assume(all(abs(_frame(s.position_ms) - frame) > 12 for s in spots if s.label == label))
    assume(
        all(_frame(c.position_ms) != frame for c in predictions if c.label == label)
    )  # it would replace that one
    before, after = _score(spots, predictions), _score(spots, [*predictions, false_positive])
    for one, other in zip(before.classes, after.classes, strict=True):
        assert other.ap_exact <= one.ap_exact


def _frame(position_ms: int) -> int:
    return int(25 * (position_ms / 1000))
