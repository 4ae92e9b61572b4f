"""The chance baseline is seeded, uniform and low."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bas.evaluate.analysis.chance_baseline import chance_baseline, random_detections
from bas.evaluate.scoring.score import score_detections
from bas.types import Detection, Spot

LABELS = {"first": [Spot(4000 * k, "PASS") for k in range(1, 50)], "second": [Spot(9000, "DRIVE", half=2)]}
NUM_FRAMES = {"first": {1: 5000}, "second": {1: 1000, 2: 4000}}
FPS = Fraction(25)


def test_the_baseline_is_low_and_reproducible() -> None:
    counts = {"PASS": 49, "DRIVE": 1, "GOAL": 0}
    first = chance_baseline(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=FPS, trials=5)
    assert first == chance_baseline(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=FPS, trials=5)
    assert 0 < first < 0.2


def test_random_detections_are_uniform_over_the_frames_of_all_games() -> None:
    found = random_detections({"PASS": 20_000}, NUM_FRAMES, seed=0)
    shares = [len(half.frames) for halves in found.values() for half in halves.values()]
    np.testing.assert_allclose(shares, [10_000, 2000, 8000], rtol=0.05)
    for game, halves in found.items():
        for half, detections in halves.items():
            assert 0 <= detections.frames.min() < 20
            assert NUM_FRAMES[game][half] - 20 < detections.frames.max() < NUM_FRAMES[game][half]


@pytest.mark.parametrize("fps", [FPS, Fraction(50), Fraction(30000, 1001)])
def test_random_detections_score_what_their_files_would_score(fps: Fraction) -> None:
    counts = {"PASS": 900, "DRIVE": 100, "GOAL": 2}
    scored = []
    for seed in range(3):
        written = {
            game: {
                half: [
                    Detection(frame, tuple(counts)[column], confidence)
                    for frame, column, confidence in zip(
                        detections.frames.tolist(),
                        detections.columns.tolist(),
                        detections.values.tolist(),
                        strict=True,
                    )
                ]
                for half, detections in halves.items()
            }
            for game, halves in random_detections(counts, NUM_FRAMES, seed=seed).items()
        }
        scored.append(score_detections(LABELS, written, classes=tuple(counts), fps=fps))
    baseline = chance_baseline(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=fps, trials=3)
    assert baseline == np.percentile([one.mean_ap for one in scored], 95)
