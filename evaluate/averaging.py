"""Averages of dense scores: over models with different clocks, and over both views of a video."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from jaxtyping import Float

from bas.types import DenseScores, Scores
from bas.vocabulary import other_team


def mean_scores(parts: Sequence[Scores], weights: Sequence[float]) -> Scores:
    """Weighted mean of several scores of one video, on the fastest of their clocks.

    Slower clocks are interpolated linearly. A part that ends before the others holds its last scores.

    Args:
        parts: scores with the same classes in the same order.
        weights: weight of each part, with sum 1.
    """
    fps = max(part.fps for part in parts)
    # The video lasts as long as its longest part; positions on a part's own clock are fractions of its frames.
    num_frames = max(ceil(len(part.values) * fps / part.fps) for part in parts)
    total = np.zeros((num_frames, len(parts[0].classes)))
    for part, weight in zip(parts, weights, strict=True):
        assert part.classes == parts[0].classes, (part.classes, parts[0].classes)
        if weight and len(part.values):
            total += weight * _resampled(part, num_frames=num_frames, step=float(part.fps / fps))
    return Scores(total.astype(np.float32), parts[0].classes, fps)


def unmirror(scores: Scores) -> Scores:
    """Scores of mirrored pictures as scores of the originals: left and right swapped."""
    values = scores.values[:, [scores.classes.index(other_team(name)) for name in scores.classes]]
    return Scores(values, scores.classes, scores.fps)


def _resampled(scores: Scores, *, num_frames: int, step: float) -> Float[np.ndarray, "frames classes"]:
    """Scores at positions 0, step, 2 * step, ... in frames of their own clock."""
    positions = np.arange(num_frames) * step
    if step == 1 and num_frames == len(scores.values):
        return scores.values
    known = np.arange(len(scores.values))
    return np.stack([np.interp(positions, known, column) for column in scores.values.T], axis=1)


def mean_dense_scores(
    members: Sequence[DenseScores], weights: Sequence[float]
) -> dict[str, dict[int, Scores]]:
    """Weighted mean of the scores of every game that all members scored."""
    games = [game for game in members[0] if all(game in member for member in members)]
    return {
        game: {
            half: mean_scores([member[game][half] for member in members], weights)
            for half in members[0][game]
        }
        for game in games
    }
