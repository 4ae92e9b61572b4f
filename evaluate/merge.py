"""Dense scores of several models, or of both views of one, made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float

from bas.evaluate.peaks import TEAM_ENDS
from bas.model import SpottingModel
from bas.types import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Models whose scores are averaged."""

    members: tuple[SpottingModel, ...]
    """All of one vocabulary; each reads rows of its own."""
    weights: tuple[float, ...]
    """Of the members; they sum to 1."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the score columns, in order."""
        return self.members[0].classes


def mean_scores(parts: Sequence[Scores], weights: Sequence[float]) -> Scores:
    """The weighted mean of scores of one video, on the fastest of their clocks.

    Slower clocks are interpolated linearly; where one part ends before another its last scores are held.

    Args:
        parts: of the same classes in the same order.
        weights: of the parts, to sum to 1.
    """
    fps = max(part.fps for part in parts)
    num_frames = max(ceil(len(part.values) * fps / part.fps) for part in parts)
    total = np.zeros((num_frames, len(parts[0].classes)))
    for part, weight in zip(parts, weights, strict=True):
        assert part.classes == parts[0].classes, (part.classes, parts[0].classes)
        if weight and len(part.values):
            total += weight * _resampled(part, num_frames=num_frames, ticks_a_frame=float(part.fps / fps))
    return Scores(total.astype(np.float32), parts[0].classes, fps)


def mirrored_back(scores: Scores) -> Scores:
    """What a model said of mirrored pictures, as of the pictures themselves: left is right."""
    values = scores.values[:, [scores.classes.index(_other_team(name)) for name in scores.classes]]
    return Scores(values, scores.classes, scores.fps)


def _other_team(name: str) -> str:
    left, right = TEAM_ENDS
    if name.endswith(left):
        return name.removesuffix(left) + right
    return name.removesuffix(right) + left if name.endswith(right) else name


def _resampled(
    scores: Scores, *, num_frames: int, ticks_a_frame: float
) -> Float[np.ndarray, "frames classes"]:
    places = np.arange(num_frames) * ticks_a_frame
    if ticks_a_frame == 1 and num_frames == len(scores.values):
        return scores.values
    known = np.arange(len(scores.values))
    return np.stack([np.interp(places, known, column) for column in scores.values.T], axis=1)
