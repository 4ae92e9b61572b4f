"""What lies behind the score: every action and claim accounted for once, and the numbers that follow."""

from __future__ import annotations

import json
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bas.evaluate.analysis import analyze
from bas.evaluate.details import details_document
from bas.evaluate.outcomes import Outcome, outcomes
from bas.evaluate.score import score_documents
from bas.evaluate.soccernet import Prediction
from bas.evaluate.windows import window_numbers
from bas.types import Scores, Spot

_CLASSES = ("PASS", "DRIVE", "SHOT")

_spots = st.lists(
    st.builds(Spot, position_ms=st.integers(0, 40_000), label=st.sampled_from(_CLASSES)), max_size=15
).map(tuple)
_claims = st.lists(
    st.builds(
        Prediction,
        position_ms=st.integers(0, 40_000),
        half=st.just(1),
        label=st.sampled_from(_CLASSES),
        confidence=st.floats(0, 1),
        team=st.none(),
    ),
    max_size=25,
).map(tuple)


def _claim(position_ms: int, label: str, confidence: float = 0.5) -> Prediction:
    return Prediction(position_ms, 1, label, confidence, None)


def _matched(spots: list[Spot], claims: list[Prediction]) -> list[Outcome]:
    thresholds = dict.fromkeys(_CLASSES, 0.1)
    return outcomes({"a": spots}, {"a": claims}, thresholds=thresholds, reach=12, framerate=25)


def test_actions_are_found_confused_or_missed_and_the_rest_is_false_alarm() -> None:
    spots = [Spot(1000, "PASS"), Spot(3000, "SHOT"), Spot(9000, "DRIVE")]
    claims = [
        _claim(1200, "PASS", 0.9), _claim(1100, "PASS", 0.3), _claim(3100, "DRIVE"), _claim(20_000, "SHOT"),
        _claim(9000, "DRIVE", 0.05),
    ]  # fmt: skip
    told = [(one.kind, one.position_ms, one.offset_ms) for one in _matched(spots, claims)]
    assert told == [
        ("found", 1000, 200),
        ("confused", 3000, 100),
        ("missed", 9000, 0),
        ("false alarm", 1100, 0),
        ("false alarm", 20_000, 0),
    ]


@given(_spots, _claims)
@settings(max_examples=60, deadline=None)
def test_every_action_and_every_claim_is_accounted_for_once(
    spots: tuple[Spot, ...], claims: tuple[Prediction, ...]
) -> None:
    matched = _matched(list(spots), list(claims))
    passing = [claim for claim in claims if claim.confidence >= 0.1]
    assert sorted(o.spot.position_ms for o in matched if o.spot) == sorted(s.position_ms for s in spots)
    assert sorted(o.claim.position_ms for o in matched if o.claim) == sorted(c.position_ms for c in passing)
    for one in matched:
        assert abs(one.offset_ms) <= 520  # ±12 frames, each up to a frame long


@given(_spots.filter(len), _claims)
@settings(max_examples=30, deadline=None)
def test_precision_and_recall_are_those_of_the_matches(
    spots: tuple[Spot, ...], claims: tuple[Prediction, ...]
) -> None:
    labels, predictions = {"a": spots}, {"a": claims}
    found = analyze(score_documents(labels, predictions, classes=_CLASSES), labels, predictions)
    kinds = [one.kind for one in found.outcomes]
    precision, recall, f1 = found.micro
    claimed = sum(one.claim is not None for one in found.outcomes)
    assert precision == kinds.count("found") / max(1, claimed)
    assert recall == kinds.count("found") / len(spots)
    assert f1 <= max(precision, recall) + 1e-12
    assert found.confusion.sum() == len(found.outcomes)
    assert np.trace(found.confusion) == kinds.count("found")
    assert sum(found.offset_frames.values()) == kinds.count("found")
    for one in found.classes:
        assert (np.diff(one.recalls) >= 0).all()
        assert len(one.recalls) <= 200
    json.dumps(details_document(found), allow_nan=False)


def test_the_threshold_is_the_best_of_all() -> None:
    """Every other threshold gives no higher F1."""
    generator = random.Random(5)
    spots = tuple(Spot(generator.randrange(60_000), "PASS") for _ in range(20))
    claims = tuple(
        _claim(
            generator.choice([s.position_ms + generator.randrange(-300, 300), generator.randrange(60_000)]),
            "PASS",
            generator.random(),
        )
        for s in spots
        for _ in range(2)
    )
    labels, predictions = {"a": spots}, {"a": claims}
    found = analyze(score_documents(labels, predictions, classes=("PASS",)), labels, predictions)
    best = found.classes[0].f1
    for threshold in sorted({claim.confidence for claim in claims}):
        matched = outcomes(labels, predictions, thresholds={"PASS": threshold}, reach=12, framerate=25)
        right = sum(one.kind == "found" for one in matched)
        claimed = sum(one.claim is not None for one in matched)
        assert 2 * right / (claimed + len(spots)) <= best + 0.03  # displaced rivals may differ by one


def test_perfect_claims_leave_nothing_to_say() -> None:
    spots = tuple(Spot(1000 * k, _CLASSES[k % 3]) for k in range(1, 31))
    labels, predictions = {"a": spots}, {"a": tuple(_claim(s.position_ms, s.label) for s in spots)}
    found = analyze(score_documents(labels, predictions, classes=_CLASSES), labels, predictions)
    assert found.micro == found.macro == (1.0, 1.0, 1.0)
    assert found.offset_frames == {0: 30}
    assert {value for _, value in found.curve} == {1.0}
    assert (found.interval.low, found.interval.high) == pytest.approx((1.0, 1.0))
    assert not found.few


def test_rare_classes_are_named() -> None:
    spots = (*(Spot(1000 * k, "PASS") for k in range(1, 12)), Spot(500, "SHOT"))
    labels, predictions = {"a": spots}, {"a": (_claim(500, "SHOT"),)}
    assert analyze(score_documents(labels, predictions, classes=_CLASSES), labels, predictions).few == (
        "SHOT",
    )


def test_windows_are_given_the_class_that_scores_highest_in_them() -> None:
    values = np.zeros((500, 4), np.float32)
    values[100, 0], values[110, 2] = 0.4, 0.6  # PASS-left below SHOT-left, in one window
    values[300, 1] = 0.3  # PASS-right
    scores = {"a": {1: Scores(values, ("PASS-left", "PASS-right", "SHOT-left", "SHOT-right"), Fraction(25))}}
    labels = {"a": (Spot(4080, "PASS"), Spot(12_200, "PASS"))}
    numbers = window_numbers(labels, scores)
    assert numbers is not None
    assert (numbers.count, numbers.accuracy) == (2, 0.5)
    assert (numbers.macro_accuracy, numbers.macro_precision) == (0.5, 1.0)
