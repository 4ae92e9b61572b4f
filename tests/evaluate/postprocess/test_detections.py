"""Local maxima: golden numbers, both ends of the video, and teams."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bas.config import PostprocessSettings
from bas.evaluate.postprocess.detections import detect
from bas.types import Detection, Scores
from bas.vocabulary import actions_of


def test_golden_peaks_and_confidences(peaks_golden: dict[str, Any]) -> None:
    settings = PostprocessSettings(
        sigma=peaks_golden["sigma"], min_score=peaks_golden["height"], min_distance=peaks_golden["distance"]
    )
    scores = Scores(np.array(peaks_golden["scores"])[:, None], ("PASS",), Fraction(25))
    last = len(peaks_golden["scores"]) - 1  # SciPy finds no peaks at either end
    found = [detection for detection in detect(scores, settings) if 0 < detection.frame < last]
    assert [detection.frame for detection in found] == peaks_golden["peaks"]
    np.testing.assert_allclose(
        [detection.score for detection in found], peaks_golden["confidences"], rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("frame", [0, 1, 50, 98, 99])
@pytest.mark.parametrize("sigma", [0.0, 3.0])
def test_a_peak_at_either_end_counts(frame: int, sigma: float) -> None:
    found = _peaks({"PASS": [frame]}, sigma=sigma)
    assert len(found) == 1
    assert abs(found[0].frame - frame) <= 1  # reflection moves the peak from frame 1 to frame 0


def test_without_smoothing_the_confidence_is_the_score() -> None:
    assert _peaks({"PASS": [20, 60]}, sigma=0) == [Detection(20, "PASS", 1.0), Detection(60, "PASS", 1.0)]


def test_of_two_close_peaks_the_higher_is_kept() -> None:
    values = np.zeros((40, 1), dtype=np.float32)
    values[[10, 15], 0] = 0.5, 0.8
    near = detect(
        Scores(values, ("PASS",), Fraction(25)), PostprocessSettings(sigma=0, min_score=0.2, min_distance=8)
    )
    assert [detection.frame for detection in near] == [15]


def test_classes_do_not_suppress_each_other_and_are_sorted_by_time() -> None:
    found = _peaks({"PASS": [40, 90], "DRIVE": [40, 10]}, sigma=0)
    assert [(d.frame, d.label) for d in found] == [(10, "DRIVE"), (40, "PASS"), (40, "DRIVE"), (90, "PASS")]


def test_team_columns_yield_detections_of_a_team() -> None:
    found = _peaks({"PASS-left": [20], "PASS-right": [60], "Kick-off": [80]}, sigma=0)
    assert [(d.label, d.team) for d in found] == [("PASS", "left"), ("PASS", "right"), ("Kick-off", None)]
    assert actions_of(("PASS-left", "PASS-right", "Kick-off")) == ("PASS", "Kick-off")


def test_confidences_stay_between_0_and_1() -> None:
    scores = Scores(np.full((30, 1), 1.0 + 1e-6, dtype=np.float32), ("PASS",), Fraction(25))
    assert [detection.score for detection in detect(scores, PostprocessSettings())] == [1.0]


def test_an_empty_video_has_no_peaks() -> None:
    scores = Scores(np.zeros((0, 2), dtype=np.float32), ("PASS", "DRIVE"), Fraction(25))
    assert detect(scores, PostprocessSettings()) == []


def _peaks(frames: dict[str, list[int]], *, sigma: float) -> list[Detection]:
    values = np.zeros((100, len(frames)), dtype=np.float32)
    for column, at in enumerate(frames.values()):
        values[at, column] = 1.0
    return detect(
        Scores(values, tuple(frames), Fraction(25)),
        PostprocessSettings(sigma=sigma, min_score=0.05, min_distance=8),
    )
