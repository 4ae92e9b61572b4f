"""Ensembles and mirrored views: the mean of scores, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from torch import nn

from bas.config import load
from bas.evaluate.dense_scores import frame_scores
from bas.heads.inference.ensemble import Ensemble, Mirrored
from bas.heads.models.stacker import Stacker
from bas.types import Scores, VideoFeatures


@dataclass(frozen=True)
class _Rows:
    """Feature rows that hold the score of class k in channel k."""

    features: np.ndarray
    hop: int
    rate: Fraction = Fraction(25)

    @property
    def valid(self) -> np.ndarray:
        return np.ones(len(self.features), dtype=bool)

    @property
    def num_frames(self) -> int:
        return self.hop * len(self.features)


class _Reader(Stacker):
    """A stacker without networks, whose scores are written into the feature rows."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.classes = ("PASS-left", "PASS-right", "DRIVE-left", "DRIVE-right")

    def scores(self, features: VideoFeatures) -> Scores:
        rows = features.features.mean(axis=(2, 3)).astype(np.float32)
        return frame_scores(rows, features, classes=self.classes)


def _rows(scores: np.ndarray, hop: int) -> _Rows:
    return _Rows(scores.astype(np.float16)[:, :, None, None], hop)


def _ensemble(*members: Stacker | Mirrored) -> Ensemble:
    return Ensemble(
        members=members,
        weights=(1 / len(members),) * len(members),
        settings=load("heads"),
        folder=None,
        base_postprocess=None,
    )


def test_both_views_are_averaged_after_swapping_the_teams_of_the_mirrored_one() -> None:
    reader = _Reader()
    both = _ensemble(reader, Mirrored(reader))
    original = _rows(np.tile([1.0, 0, 0.5, 0], (4, 1)), 1)
    mirrored = _rows(np.tile([0, 0.5, 0, 0.25], (4, 1)), 1)
    scores = both.scores((original, mirrored))
    np.testing.assert_array_equal(scores.values, np.tile([0.75, 0, 0.375, 0], (4, 1)))


def test_members_with_different_hops_are_averaged_frame_by_frame() -> None:
    reader = _Reader()
    scores = np.linspace(0, 1, 12)[:, None].repeat(4, axis=1)
    every, third = _rows(scores, 1), _rows(scores[::3], 3)
    ensemble = _ensemble(reader, reader)
    merged = ensemble.scores((every, third))
    assert ensemble.classes == merged.classes == reader.classes
    one, other = reader.scores(every), reader.scores(third)
    np.testing.assert_allclose(merged.values, (one.values + other.values) / 2, atol=1e-6)
