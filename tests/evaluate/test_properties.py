"""What must hold for any labels and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bas.evaluate.score import Evaluation, score_documents
from bas.evaluate.soccernet import Prediction
from bas.types import Spot

_CLASSES = ("PASS", "DRIVE", "SHOT", "GOAL")
_ms = st.integers(0, 60_000)
_spots = st.lists(
    st.builds(Spot, position_ms=_ms, label=st.sampled_from(_CLASSES)),
    max_size=12,
    unique_by=lambda spot: (spot.position_ms // 40, spot.label),
)
_claims = st.lists(
    st.builds(
        Prediction,
        position_ms=_ms,
        half=st.just(1),
        label=st.sampled_from(_CLASSES),
        confidence=st.floats(0, 1),
        team=st.none(),
    ),
    max_size=20,
    unique_by=lambda claim: (claim.position_ms // 20, claim.label),
)


def _score(spots: Sequence[Spot], claims: Sequence[Prediction]) -> Evaluation:
    return score_documents({"a": spots}, {"a": claims}, classes=_CLASSES)


@given(_spots, _claims, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_entries_changes_nothing(
    spots: list[Spot], claims: list[Prediction], random: Any
) -> None:
    cells = {
        (int(25 * c.position_ms / 1000), c.label): c for c in claims
    }  # of equal cells the last one counts
    ordered = list(cells.values())
    shuffled_spots, shuffled = list(spots), list(ordered)
    random.shuffle(shuffled_spots)
    random.shuffle(shuffled)
    one, other = _score(spots, ordered), _score(shuffled_spots, shuffled)
    assert [row.ap for row in one.rows] == [row.ap for row in other.rows]
    assert one.mean_ap_exact == other.mean_ap_exact


@given(_spots, st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_the_labels_themselves_score_the_share_of_classes_that_occur(
    spots: list[Spot], confidence: float
) -> None:
    claims = [Prediction(spot.position_ms, 1, spot.label, confidence, None) for spot in spots]
    occurring = len({spot.label for spot in spots})
    assert _score(spots, claims).mean_ap == pytest.approx(occurring / len(_CLASSES))


@given(_spots, _claims, _ms, st.sampled_from(_CLASSES), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_a_false_alarm_outside_every_window_never_raises_the_exact_score(
    spots: list[Spot], claims: list[Prediction], position_ms: int, label: str, confidence: float
) -> None:
    alarm = Prediction(position_ms, 1, label, confidence, None)
    frame = _frame(position_ms)
    assume(all(abs(_frame(s.position_ms) - frame) > 12 for s in spots if s.label == label))
    assume(
        all(_frame(c.position_ms) != frame for c in claims if c.label == label)
    )  # it would replace that one
    before, after = _score(spots, claims), _score(spots, [*claims, alarm])
    for one, other in zip(before.rows, after.rows, strict=True):
        assert other.ap_exact <= one.ap_exact


def _frame(position_ms: int) -> int:
    return int(25 * (position_ms / 1000))
