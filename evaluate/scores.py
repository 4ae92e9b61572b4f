"""Scores of every frame of a video from its cached feature rows, both ends included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bas.evaluate.merge import Ensemble, mean_scores, unmirror
from bas.extract.cache.reader import FeatureCache
from bas.model import SpottingModel
from bas.types import Scores


@dataclass(frozen=True, slots=True)
class BothViews:
    """Feature rows of one video, and of its mirrored pictures."""

    original: FeatureCache
    mirrored: FeatureCache


Rows = FeatureCache | BothViews | tuple[FeatureCache | BothViews, ...]
"""Feature rows that a model reads for one video; for an ensemble, one entry per member."""


def score_video(model: SpottingModel | Ensemble, rows: Rows) -> Scores:
    """Score every frame of a video: rows are interpolated linearly, views and members averaged."""
    if isinstance(model, Ensemble):
        assert isinstance(rows, tuple), "an ensemble needs rows for every member"
        parts = [score_video(member, own) for member, own in zip(model.members, rows, strict=True)]
        return mean_scores(parts, model.weights)
    assert not isinstance(rows, tuple), "a single model needs a single set of rows"
    if isinstance(rows, BothViews):
        views = score_video(model, rows.original), unmirror(score_video(model, rows.mirrored))
        return mean_scores(views, (0.5, 0.5))
    values = interpolate_rows(
        model.score_rows(rows.features, rate=rows.row_rate),
        rows.valid,
        hop=rows.hop,
        num_frames=rows.num_frames,
    )
    return Scores(values, model.classes, rows.rate)


def interpolate_rows(
    rows: Float[np.ndarray, "rows classes"], valid: Bool[np.ndarray, "rows"], *, hop: int, num_frames: int
) -> Float[np.ndarray, "frames classes"]:
    """Interpolate scores linearly between rows; before the first and after the last, hold theirs.

    A row with a missing or damaged picture is left out: its frames are interpolated from its neighbors.

    Args:
        rows: scores of frames 0, hop, 2 * hop, ...
        valid: whether all pictures of a row are there.
        hop: frames between consecutive rows.
        num_frames: number of frames of the video.
    """
    known = np.flatnonzero(valid)
    if not len(known):
        return np.zeros((num_frames, rows.shape[1]), dtype=np.float32)
    frames = np.arange(num_frames)
    values = np.empty((num_frames, rows.shape[1]), dtype=np.float32)
    for column in range(rows.shape[1]):
        values[:, column] = np.interp(frames, known * hop, rows[known, column])
    return values
