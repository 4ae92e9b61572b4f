"""Post-processing: suppression to the published numbers, and a search that only ever helps."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bas.config import ClassPeaksSettings, PeaksSettings, parse
from bas.errors import SettingsError
from bas.evaluate.peaks import calibrate, detections
from bas.evaluate.score import score_detections
from bas.evaluate.search import search
from bas.evaluate.suppression import suppress
from bas.types import Scores, Spot

_GOLDEN = Path(__file__).parent.parent / "golden" / "suppression.json"
_CLASSES = ("PASS", "SHOT")


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_golden_suppression(kind: str) -> None:
    golden = json.loads(_GOLDEN.read_text())
    wanted = golden[kind]
    kept: list[dict[str, Any]] = []
    for label in sorted({event["label"] for event in golden["events"]}):
        events = [event for event in golden["events"] if event["label"] == label]
        frames, scores = suppress(
            np.array([event["frame"] for event in events]),
            np.array([event["score"] for event in events]),
            window=wanted["window"],
            least=wanted["threshold"],
            soft=kind == "soft",
        )
        kept += [
            {"label": label, "frame": frame, "score": score}
            for frame, score in zip(frames.tolist(), scores.tolist(), strict=True)
        ]
    assert [(e["label"], e["frame"]) for e in kept] == [(e["label"], e["frame"]) for e in wanted["kept"]]
    np.testing.assert_allclose(
        [e["score"] for e in kept], [e["score"] for e in wanted["kept"]], rtol=0, atol=1e-7
    )


@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), max_size=25, unique_by=lambda e: e[0]),
    st.integers(1, 12),
)
def test_hard_suppression_leaves_no_two_events_within_the_window(
    events: list[tuple[int, float]], window: int
) -> None:
    events.sort()
    frames, scores = np.array([e[0] for e in events], np.int64), np.array([e[1] for e in events], np.float64)
    kept, values = suppress(frames, scores, window=window, least=0.01, soft=False)
    assert (np.diff(kept) > window).all()
    assert set(zip(kept.tolist(), values.tolist(), strict=True)) <= set(events)
    if (scores >= 0.01).any():
        assert scores.max() in values


def _matches(
    scale: float = 1.0, seed: int = 0
) -> tuple[dict[str, tuple[Spot, ...]], dict[str, dict[int, Scores]]]:
    """Two matches of four minutes: bumps at most actions, jittered, and others where nothing is."""
    generator = np.random.default_rng(seed)
    labels, scores = {}, {}
    for game in ("a", "b"):
        values = 0.02 * generator.random((6000, 2))
        spots = []
        for k, label in enumerate(_CLASSES):
            for position in generator.choice(np.arange(60, 5940, 60), 30, replace=False):
                spots.append(Spot(int(position) * 40, label))
                center = position + int(generator.integers(-9, 10))
                _bump(values[:, k], center, generator.uniform(0.2, 1.0))
            for center in generator.integers(0, 6000, 40):
                _bump(values[:, k], int(center), generator.uniform(0.05, 0.6))
        labels[game] = tuple(spots)
        scores[game] = {1: Scores((scale * values.clip(0, 1)).astype(np.float32), _CLASSES, Fraction(25))}
    return labels, scores


def _bump(column: np.ndarray, center: int, height: float) -> None:
    frames = np.arange(len(column))
    np.maximum(column, height * np.exp(-(((frames - center) / 4) ** 2)), out=column)


def _official(
    labels: dict[str, tuple[Spot, ...]], scores: dict[str, dict[int, Scores]], settings: PeaksSettings
) -> float:
    found = {
        game: {half: detections(one, settings) for half, one in halves.items()}
        for game, halves in scores.items()
    }
    return score_detections(labels, found, classes=_CLASSES, fps=Fraction(25)).mean_ap


@pytest.mark.parametrize("scale", [1.0, 0.03])
def test_what_is_found_scores_what_the_search_says_and_never_less_than_before(scale: float) -> None:
    labels, scores = _matches(scale)
    start = PeaksSettings(height=0.002)
    tuned = search(labels, scores, start=start)
    assert tuned.before == pytest.approx(_official(labels, scores, start))
    assert tuned.calibrated == pytest.approx(_official(labels, scores, tuned.settings), abs=1e-6)
    assert tuned.before <= tuned.shared <= tuned.own <= tuned.calibrated


def test_confidences_that_lie_close_together_are_spread() -> None:
    labels, scores = _matches(0.03)
    tuned = search(labels, scores, start=PeaksSettings(height=0.002))
    assert tuned.calibrated > tuned.own + 0.02
    one = tuned.settings.of("PASS")
    assert one.calibration
    heights = np.linspace(0, 0.03, 200)
    assert (np.diff(calibrate(heights, one.calibration)) >= 0).all()


def test_rare_classes_get_no_values_of_their_own() -> None:
    labels, scores = _matches()
    few = {
        game: tuple(s for s in spots if s.label == "PASS" or s.position_ms < 12_000)
        for game, spots in labels.items()
    }
    assert sum(s.label == "SHOT" for spots in few.values() for s in spots) < 10
    assert "SHOT" not in search(few, scores, start=PeaksSettings()).settings.per_class


def test_a_class_may_differ_from_the_others() -> None:
    values = np.zeros((200, 2), np.float32)
    values[[50, 60], 0] = values[[50, 60], 1] = 0.5, 0.4
    own = ClassPeaksSettings(sigma=0, height=0.1, distance=3, calibration=((0.0, 0.0), (0.5, 1.0)))
    settings = PeaksSettings(sigma=0, height=0.1, distance=20, per_class={"SHOT": own})
    found = detections(Scores(values, _CLASSES, Fraction(25)), settings)
    assert [(d.frame, d.label, round(d.score, 3)) for d in found] == [
        (50, "PASS", 0.5), (50, "SHOT", 1.0), (60, "SHOT", 0.8),
    ]  # fmt: skip


def test_a_line_that_falls_is_refused() -> None:
    falling = {"sigma": 1, "height": 0, "distance": 3, "calibration": [[0, 1], [1, 0]]}
    with pytest.raises(SettingsError, match="rising"):
        parse({"peaks": {"per_class": {"PASS": falling}}}, source="a test")
