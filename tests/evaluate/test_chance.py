"""Chance runs: seeded, uniform, low."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bas.evaluate.chance import chance, guesses
from bas.types import Spot

LABELS = {"first": [Spot(4000 * k, "PASS") for k in range(1, 50)], "second": [Spot(9000, "DRIVE", half=2)]}
NUM_FRAMES = {"first": {1: 5000}, "second": {1: 1000, 2: 4000}}
FPS = Fraction(25)


def test_chance_is_low_and_does_not_change() -> None:
    counts = {"PASS": 49, "DRIVE": 1, "GOAL": 0}
    first = chance(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=FPS, runs=5)
    assert first == chance(LABELS, counts=counts, num_frames=NUM_FRAMES, fps=FPS, runs=5)
    assert 0 < first.mean_ap < 0.2
    assert first.mean_ap_occurring == np.float64(first.mean_ap * 3 / 2)


def test_guesses_are_uniform_over_the_frames_of_all_halves() -> None:
    found = guesses([20_000, 0], [50_000, 10_000, 40_000], fps=FPS, seed=0)
    shares = [len(passes.frames) for passes, _ in found]
    np.testing.assert_allclose(shares, [10_000, 2000, 8000], rtol=0.12)  # of equal frames the last one counts
    for (passes, goals), length in zip(found, (50_000, 10_000, 40_000), strict=True):
        assert not len(goals.frames)
        assert 0 <= passes.frames[0] < 100
        assert length - 100 < passes.frames[-1] < length
