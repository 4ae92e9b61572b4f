"""Slide a model over the cached rows of a video: scores for every frame, both ends included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bas.evaluate.merge import Ensemble, mean_scores, mirrored_back
from bas.extract.cache import FeatureCache
from bas.model import SpottingModel
from bas.types import Scores


@dataclass(frozen=True, slots=True)
class BothViews:
    """The rows of one video, and of its mirrored pictures."""

    seen: FeatureCache
    mirrored: FeatureCache


Rows = FeatureCache | BothViews | tuple[FeatureCache | BothViews, ...]
"""What a model reads of one video; an ensemble, one for each of its members."""


def slide(model: SpottingModel | Ensemble, rows: Rows) -> Scores:
    """Score every tick of a video: rows are interpolated linearly, views and members averaged."""
    if isinstance(model, Ensemble):
        assert isinstance(rows, tuple), "an ensemble reads rows of its own for every member"
        parts = [slide(member, own) for member, own in zip(model.members, rows, strict=True)]
        return mean_scores(parts, model.weights)
    assert not isinstance(rows, tuple), "one model reads one kind of rows"
    if isinstance(rows, BothViews):
        views = slide(model, rows.seen), mirrored_back(slide(model, rows.mirrored))
        return mean_scores(views, (0.5, 0.5))
    values = every_frame(
        model.score_rows(rows.features, rate=rows.row_rate),
        rows.valid,
        hop=rows.hop,
        num_frames=rows.num_frames,
    )
    return Scores(values, model.classes, rows.rate)


def every_frame(
    rows: Float[np.ndarray, "rows classes"], valid: Bool[np.ndarray, "rows"], *, hop: int, num_frames: int
) -> Float[np.ndarray, "frames classes"]:
    """Scores between rows, by linear interpolation; beyond the first and last row theirs are held.

    A row whose picture is missing or damaged says nothing: its frames lie between its neighbors.

    Args:
        rows: scores of frames 0, hop, 2 x hop ...
        valid: whether a row has its pictures.
        hop: frames from one row to the next.
        num_frames: frames of the video.
    """
    known = np.flatnonzero(valid)
    if not len(known):
        return np.zeros((num_frames, rows.shape[1]), dtype=np.float32)
    frames = np.arange(num_frames)
    values = np.empty((num_frames, rows.shape[1]), dtype=np.float32)
    for column in range(rows.shape[1]):
        values[:, column] = np.interp(frames, known * hop, rows[known, column])
    return values
