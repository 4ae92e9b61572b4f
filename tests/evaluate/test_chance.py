"""Chance runs: seeded, uniform, low."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bas.evaluate.chance import chance, guesses
from bas.evaluate.score import score_detections
from bas.types import Detection, Spot

LABELS = {"first": [Spot(4000 * k, "PASS") for k in range(1, 50)], "second": [Spot(9000, "DRIVE", half=2)]}
NUM_FRAMES = {"first": {1: 5000}, "second": {1: 1000, 2: 4000}}
FPS = Fraction(25)


def test_chance_is_low_and_does_not_change() -> None:
    counts = {"PASS": 49, "DRIVE": 1, "GOAL": 0}
    first = chance(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=FPS, runs=5)
    assert first == chance(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=FPS, runs=5)
    assert 0 < first.mean_ap < 0.2
    assert first.mean_ap_occurring == np.float64(first.mean_ap * 3 / 2)


def test_guesses_are_uniform_over_the_frames_of_all_games() -> None:
    found = guesses({"PASS": 20_000}, NUM_FRAMES, seed=0)
    shares = [len(half.frames) for halves in found.values() for half in halves.values()]
    np.testing.assert_allclose(shares, [10_000, 2000, 8000], rtol=0.05)
    for game, halves in found.items():
        for half, guessed in halves.items():
            assert 0 <= guessed.frames.min() < 20
            assert NUM_FRAMES[game][half] - 20 < guessed.frames.max() < NUM_FRAMES[game][half]


@pytest.mark.parametrize("fps", [FPS, Fraction(50), Fraction(30000, 1001)])
def test_guesses_score_what_their_files_would_score(fps: Fraction) -> None:
    counts = {"PASS": 900, "DRIVE": 100, "GOAL": 2}
    scored = []
    for seed in range(3):
        written = {
            game: {
                half: [
                    Detection(frame, tuple(counts)[column], confidence)
                    for frame, column, confidence in zip(
                        guessed.frames.tolist(),
                        guessed.columns.tolist(),
                        guessed.values.tolist(),
                        strict=True,
                    )
                ]
                for half, guessed in halves.items()
            }
            for game, halves in guesses(counts, NUM_FRAMES, seed=seed).items()
        }
        scored.append(score_detections(LABELS, written, classes=tuple(counts), fps=fps))
    found = chance(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=fps, runs=3)
    assert found.mean_ap == np.percentile([one.mean_ap for one in scored], 95)
    assert found.mean_ap_occurring == np.percentile([one.mean_ap_occurring for one in scored], 95)
