"""Slide a model over the cached rows of a video: scores for every frame, both ends included."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from bas.extract.cache import FeatureCache
from bas.model import SpottingModel
from bas.types import Scores


def slide(model: SpottingModel, cache: FeatureCache) -> Scores:
    """Score the rows of a video and interpolate linearly to every tick of its clock."""
    rows = model.score_rows(cache.features, rate=cache.row_rate)
    values = every_frame(rows, cache.valid, hop=cache.hop, num_frames=cache.num_frames)
    return Scores(values, model.classes, cache.rate)


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
