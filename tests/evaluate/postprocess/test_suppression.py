"""Suppression: golden numbers, and rounds of many picks against one pick at a time."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import GOLDEN

from bas.config import DetectionSettings
from bas.evaluate.postprocess.detections import pick_detections

Soft = Literal["hard", "linear", "quadratic"]
_GOLDEN = GOLDEN / "suppression.json"
_POWER = {"linear": 1, "quadratic": 2}


@pytest.mark.parametrize(("kind", "method", "beyond"), [("hard", "hard", 1), ("soft", "quadratic", 0)])
def test_golden_suppression(kind: str, method: Soft, beyond: int) -> None:
    """A window of 6 drops what is 6 frames away; one of 12 leaves what is 12 away as it is."""
    golden = json.loads(_GOLDEN.read_text())
    expected = golden[kind]
    settings = DetectionSettings(
        method=method, min_score=expected["threshold"], min_distance=expected["window"] + beyond
    )
    for label in {event["label"] for event in golden["events"]}:
        column = _column(golden["events"], label)
        found = pick_detections(column, settings)
        kept = [event for event in expected["kept"] if event["label"] == label]
        assert found.frames.tolist() == [event["frame"] for event in kept]
        np.testing.assert_allclose(found.values, [event["score"] for event in kept], rtol=0, atol=1e-7)


@given(
    levels=st.lists(st.integers(0, 4), max_size=60),  # over 4, with distances of this kind: equals stay equal
    method=st.sampled_from(["hard", "linear", "quadratic"]),
    distance=st.sampled_from([1, 2, 4, 8]),
    height=st.sampled_from([0.0, 0.05, 0.4]),
)
def test_many_picks_in_one_round_equal_one_pick_at_a_time(
    levels: list[int], method: Soft, distance: int, height: float
) -> None:
    column = np.array(levels, dtype=np.float64) / 4
    found = pick_detections(column, DetectionSettings(method=method, min_score=height, min_distance=distance))
    expected = _one_at_a_time(column, method=method, height=height, distance=distance)
    assert found.frames.tolist() == sorted(expected)
    np.testing.assert_allclose(found.values, [expected[frame] for frame in sorted(expected)], rtol=1e-12)


def test_hard_suppression_keeps_the_shoulder_that_peaks_do_not_see() -> None:
    column = np.concatenate([np.linspace(0.2, 0.8, 20), np.linspace(0.8, 0.2, 20)[1:]])
    assert pick_detections(column, DetectionSettings(min_score=0.1, min_distance=8)).frames.tolist() == [19]
    assert pick_detections(
        column, DetectionSettings(method="hard", min_score=0.1, min_distance=8)
    ).frames.tolist() == [
        3,
        11,
        19,
        27,
        35,
    ]


def _one_at_a_time(column: np.ndarray, *, method: Soft, height: float, distance: int) -> dict[int, float]:
    left = dict(enumerate(column.tolist()))
    taken: dict[int, float] = {}
    while left:
        frame = max(left, key=lambda frame: (left[frame], -frame))
        score = left.pop(frame)
        if score < height or score <= 0:
            break
        taken[frame] = score
        for other in left:
            away = abs(other - frame)
            if away < distance:
                left[other] *= 0 if method == "hard" else (away / distance) ** _POWER[method]
    return taken


def _column(events: list[dict[str, Any]], label: str) -> np.ndarray:
    own = {event["frame"]: event["score"] for event in events if event["label"] == label}
    column = np.zeros(max(own) + 1)
    column[list(own)] = list(own.values())
    return column
