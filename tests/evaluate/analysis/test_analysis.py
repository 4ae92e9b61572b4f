"""Analysis beside the score: every spot and detection is counted exactly once, and the numbers are consistent."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bas.evaluate.analysis import analysis
from bas.evaluate.analysis.analysis import analyze
from bas.evaluate.analysis.outcomes import Outcome, match_outcomes
from bas.evaluate.analysis.window_accuracy import window_accuracy
from bas.evaluate.report.document import analysis_document
from bas.evaluate.scoring.score import score_documents
from bas.types import Prediction, Scores, Spot

_CLASSES = ("PASS", "DRIVE", "SHOT")

_spots = st.lists(
    st.builds(Spot, position_ms=st.integers(0, 40_000), label=st.sampled_from(_CLASSES)), max_size=15
).map(tuple)
_predictions = st.lists(
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


@pytest.fixture(autouse=True, scope="module")
def few_resamples() -> Iterator[None]:
    """The interval is tested with the bootstrap."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(analysis, "RESAMPLES", 20)
        yield


def _prediction(position_ms: int, label: str, confidence: float = 0.5) -> Prediction:
    return Prediction(position_ms, 1, label, confidence, None)


def _class_and_frame(mark: Spot | Prediction) -> tuple[int, str]:
    return int(25 * (mark.position_ms / 1000)), mark.label


def _matched(spots: list[Spot], detections: list[Prediction]) -> list[Outcome]:
    thresholds = dict.fromkeys(_CLASSES, 0.1)
    return match_outcomes(
        {"a": spots}, {"a": detections}, thresholds=thresholds, half_window=12, framerate=25
    )


def test_spots_are_hits_confusions_or_misses_and_other_detections_false_positives() -> None:
    spots = [Spot(1000, "PASS"), Spot(3000, "SHOT"), Spot(9000, "DRIVE")]
    detections = [
        _prediction(1200, "PASS", 0.9), _prediction(1100, "PASS", 0.3), _prediction(3100, "DRIVE"), _prediction(20_000, "SHOT"),
        _prediction(9000, "DRIVE", 0.05),
    ]  # fmt: skip
    results = [(one.kind, one.position_ms, one.offset_ms) for one in _matched(spots, detections)]
    assert results == [
        ("hit", 1000, 200),
        ("confused", 3000, 100),
        ("miss", 9000, 0),
        ("false positive", 1100, 0),
        ("false positive", 20_000, 0),
    ]


@given(_spots, _predictions)
@settings(max_examples=60, deadline=None)
def test_every_spot_and_every_detection_has_exactly_one_outcome(
    spots: tuple[Spot, ...], detections: tuple[Prediction, ...]
) -> None:
    matched = _matched(list(spots), list(detections))
    scored = {
        _class_and_frame(spot): spot for spot in spots
    }  # a later mark replaces an earlier one of its class and frame
    above = [
        detection
        for detection in {_class_and_frame(c): c for c in detections}.values()
        if detection.confidence >= 0.1
    ]
    assert sorted(o.spot.position_ms for o in matched if o.spot) == sorted(
        s.position_ms for s in scored.values()
    )
    assert sorted(o.detection.position_ms for o in matched if o.detection) == sorted(
        c.position_ms for c in above
    )
    for one in matched:
        assert abs(one.offset_ms) <= 520  # ±12 frames, each up to a frame long


_any_predictions = st.lists(
    st.builds(
        Prediction,
        position_ms=st.integers(-9000, 40_000),
        half=st.sampled_from((1, 1, 1, 2, 3)),
        label=st.sampled_from((*_CLASSES, "no class")),
        confidence=st.sampled_from((0.0, 0.25, 0.5, 0.75, 1.0, 1.5, -0.5, math.nan, math.inf)),
        team=st.none(),
    ),
    max_size=25,
).map(tuple)
_any_spots = st.lists(
    st.builds(
        Spot,
        position_ms=st.integers(-9000, 40_000),
        label=st.sampled_from((*_CLASSES, "no class")),
        half=st.sampled_from((1, 1, 1, 2, 3)),
    ),
    max_size=15,
).map(tuple)


@given(_any_spots, _any_predictions)
@settings(max_examples=25, deadline=None)
def test_the_outcomes_agree_with_the_official_matching_for_any_input(
    spots: tuple[Spot, ...], detections: tuple[Prediction, ...]
) -> None:
    labels, predictions = {"a": spots}, {"a": detections}
    evaluation = score_documents(labels, predictions, classes=_CLASSES)
    dense = Scores(np.random.default_rng(len(spots)).random((500, 3), np.float32), _CLASSES, Fraction(25))
    found = analyze(evaluation, labels, predictions, scores={"a": {1: dense}})
    everything = analyze(evaluation, labels, predictions, thresholds=dict.fromkeys(_CLASSES, 0.0))
    for row, one, whole in zip(evaluation.classes, found.classes, everything.classes, strict=True):
        assert whole.num_spots == row.num_spots
        assert whole.num_detections == row.num_detections
        for of, detail in ((found, one), (everything, whole)):
            hits = sum(o.kind == "hit" and o.spot.label == row.label for o in of.outcomes if o.spot)
            num_detections = sum(
                o.detection is not None and o.detection.label == row.label for o in of.outcomes
            )
            assert detail.num_detections == num_detections
            assert detail.recall == hits / max(1, row.num_spots)
            assert detail.precision == hits / max(1, num_detections)
    json.dumps(analysis_document(found), allow_nan=False)


@given(_any_spots.filter(len), _any_predictions)
@settings(max_examples=15, deadline=None)
def test_precision_and_recall_follow_from_the_outcomes(
    spots: tuple[Spot, ...], detections: tuple[Prediction, ...]
) -> None:
    labels, predictions = {"a": spots}, {"a": detections}
    found = analyze(score_documents(labels, predictions, classes=_CLASSES), labels, predictions)
    kinds = [one.kind for one in found.outcomes]
    precision, recall, f1 = found.micro
    num_detections = sum(one.detection is not None for one in found.outcomes)
    assert precision == kinds.count("hit") / max(1, num_detections)
    assert recall == kinds.count("hit") / max(1, sum(one.spot is not None for one in found.outcomes))
    assert f1 <= max(precision, recall) + 1e-12
    assert found.confusion.sum() == len(found.outcomes)
    assert np.trace(found.confusion) == kinds.count("hit")
    assert sum(found.offset_frames.values()) == kinds.count("hit")
    for one in found.classes:
        assert (np.diff(one.recalls) >= 0).all()
        assert len(one.recalls) <= 200
    json.dumps(analysis_document(found), allow_nan=False)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_has_a_higher_f1(seed: int) -> None:
    generator = random.Random(seed)
    spots = tuple(Spot(generator.randrange(60_000), "PASS") for _ in range(20))
    detections = tuple(
        _prediction(
            generator.choice([s.position_ms + generator.randrange(-300, 300), generator.randrange(60_000)]),
            "PASS",
            generator.random(),
        )
        for s in spots
        for _ in range(2)
    )
    labels, predictions = {"a": spots}, {"a": detections}
    found = analyze(score_documents(labels, predictions, classes=("PASS",)), labels, predictions)
    best = found.classes[0].f1
    for threshold in sorted({detection.confidence for detection in detections}):
        matched = match_outcomes(
            labels, predictions, thresholds={"PASS": threshold}, half_window=12, framerate=25
        )
        right = sum(one.kind == "hit" for one in matched)
        num_detections = sum(one.detection is not None for one in matched)
        assert 2 * right / (num_detections + len(spots)) <= best
    assert found.threshold_source == "these matches"


def test_the_thresholds_of_a_model_are_taken_as_they_are() -> None:
    labels = {"a": (Spot(1000, "PASS"), Spot(9000, "PASS"))}
    predictions = {
        "a": (
            _prediction(1000, "PASS", 0.9),
            _prediction(9000, "PASS", 0.4),
            _prediction(20_000, "DRIVE", 0.6),
        )
    }
    evaluation = score_documents(labels, predictions, classes=_CLASSES)
    found = analyze(evaluation, labels, predictions, thresholds={"PASS": 0.5, "DRIVE": 0.7, "SHOT": 0.1})
    assert [(one.threshold, one.num_detections) for one in found.classes] == [(0.5, 1), (0.7, 0), (0.1, 0)]
    assert [one.kind for one in found.outcomes] == ["hit", "miss"]
    assert analysis_document(found)["at_threshold"]["threshold_source"] == "the model"


def test_matches_too_short_to_be_resampled_are_named() -> None:
    labels = {"long": (Spot(150_000, "PASS"),), "short": (Spot(119_000, "PASS"),)}
    predictions: dict[str, tuple[Prediction, ...]] = {"long": (), "short": ()}
    found = analyze(score_documents(labels, predictions, classes=_CLASSES), labels, predictions)
    assert found.short_games == ("short",)


def test_perfect_detections_have_no_errors() -> None:
    spots = tuple(Spot(1000 * k, _CLASSES[k % 3]) for k in range(1, 31))
    labels, predictions = {"a": spots}, {"a": tuple(_prediction(s.position_ms, s.label) for s in spots)}
    found = analyze(score_documents(labels, predictions, classes=_CLASSES), labels, predictions)
    assert found.micro == found.macro == (1.0, 1.0, 1.0)
    assert found.offset_frames == {0: 30}
    assert {value for _, value in found.tolerance_curve} == {1.0}
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((1.0, 1.0))
    assert not found.rare_classes


def test_rare_classes_are_named() -> None:
    spots = (*(Spot(1000 * k, "PASS") for k in range(1, 12)), Spot(500, "SHOT"))
    labels, predictions = {"a": spots}, {"a": (_prediction(500, "SHOT"),)}
    assert analyze(
        score_documents(labels, predictions, classes=_CLASSES), labels, predictions
    ).rare_classes == ("SHOT",)


def test_a_window_is_classified_by_its_highest_score() -> None:
    values = np.zeros((500, 4), np.float32)
    values[100, 0], values[110, 2] = 0.4, 0.6  # PASS-left below SHOT-left, in one window
    values[300, 1] = 0.3  # PASS-right
    scores = {"a": {1: Scores(values, ("PASS-left", "PASS-right", "SHOT-left", "SHOT-right"), Fraction(25))}}
    labels = {"a": (Spot(4080, "PASS"), Spot(12_200, "PASS"))}
    numbers = window_accuracy(labels, scores)
    assert numbers is not None
    assert (numbers.count, numbers.accuracy) == (2, 0.5)
    assert (numbers.macro_accuracy, numbers.macro_precision) == (0.5, 1.0)
