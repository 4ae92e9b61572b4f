"""Averages of dense scores, over the models of an ensemble or over both views of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float

from bas.evaluate.postprocess.events import TEAM_SUFFIXES
from bas.model import SpottingModel
from bas.types import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Models whose scores are averaged."""

    members: tuple[SpottingModel, ...]
    """Models with the same classes; each reads its own feature rows."""
    weights: tuple[float, ...]
    """Weight of each member in the mean, with sum 1."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the score columns, in order."""
        return self.members[0].classes


def mean_scores(parts: Sequence[Scores], weights: Sequence[float]) -> Scores:
    """Weighted mean of several scores of one video, on the fastest of their clocks.

    Slower clocks are interpolated linearly. A part that ends before the others holds its last scores.

    Args:
        parts: scores with the same classes in the same order.
        weights: weight of each part, with sum 1.
    """
    fps = max(part.fps for part in parts)
    num_frames = max(ceil(len(part.values) * fps / part.fps) for part in parts)
    total = np.zeros((num_frames, len(parts[0].classes)))
    for part, weight in zip(parts, weights, strict=True):
        assert part.classes == parts[0].classes, (part.classes, parts[0].classes)
        if weight and len(part.values):
            total += weight * _resampled(part, num_frames=num_frames, step=float(part.fps / fps))
    return Scores(total.astype(np.float32), parts[0].classes, fps)


def unmirror(scores: Scores) -> Scores:
    """Scores of mirrored pictures as scores of the originals: left and right swapped."""
    values = scores.values[:, [scores.classes.index(_other_team(name)) for name in scores.classes]]
    return Scores(values, scores.classes, scores.fps)


def _other_team(name: str) -> str:
    left, right = TEAM_SUFFIXES
    if name.endswith(left):
        return name.removesuffix(left) + right
    return name.removesuffix(right) + left if name.endswith(right) else name


def _resampled(scores: Scores, *, num_frames: int, step: float) -> Float[np.ndarray, "frames classes"]:
    """Scores at positions 0, step, 2 * step, ... in frames of their own clock."""
    positions = np.arange(num_frames) * step
    if step == 1 and num_frames == len(scores.values):
        return scores.values
    known = np.arange(len(scores.values))
    return np.stack([np.interp(positions, known, column) for column in scores.values.T], axis=1)
