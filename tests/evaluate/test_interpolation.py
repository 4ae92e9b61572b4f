"""Scores of every frame: interpolated between rows and across missing ones, held at the ends."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from bas.evaluate.dense_scores import interpolate_rows
from bas.extract.cache.reader import FeatureCache


def test_frames_between_rows_are_interpolated_and_the_last_row_is_held() -> None:
    rows = np.array([[0.0], [1.0], [0.5]], dtype=np.float32)
    frames = interpolate_rows(rows, np.ones(3, dtype=bool), hop=4, num_frames=12)
    assert frames[:, 0].tolist() == [0, 0.25, 0.5, 0.75, 1, 0.875, 0.75, 0.625, 0.5, 0.5, 0.5, 0.5]
    assert frames.dtype == np.float32


def test_at_hop_1_nothing_is_changed() -> None:
    rows = np.random.default_rng(0).random((50, 3), dtype=np.float32)
    assert np.array_equal(interpolate_rows(rows, np.ones(50, dtype=bool), hop=1, num_frames=50), rows)


def test_a_row_without_its_picture_is_interpolated_from_its_neighbors() -> None:
    rows = np.array([[0.25], [1.0], [0.75], [1.0]], dtype=np.float32)
    valid = np.array([True, False, True, False])
    assert interpolate_rows(rows, valid, hop=1, num_frames=4)[:, 0].tolist() == [0.25, 0.5, 0.75, 0.75]
    assert not interpolate_rows(rows, np.zeros(4, dtype=bool), hop=1, num_frames=4).any()


def test_a_cache_is_scored_on_its_own_clock(
    make_cache: Callable[[np.ndarray, int], FeatureCache], reader: Any
) -> None:
    scores = reader.scores(make_cache(np.full((10, 4), 0.5), 3))
    assert scores.values.shape == (30, 4)
    assert (scores.classes, scores.fps) == (reader.classes, Fraction(25))
    assert np.all(scores.values == 0.5)
