"""Validation: the games that choose the epoch, scored exactly as `bas eval` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, ParamSpec

from bas.config import Pipeline
from bas.evaluate.postprocess.detections import detect_games
from bas.evaluate.postprocess.search import Tuning, tune
from bas.evaluate.scoring.score import score_detections
from bas.heads.models.base import Head
from bas.heads.models.stacker import score_features
from bas.heads.training.training_set import CachedVideo
from bas.types import DenseScores, Scores, Spot

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Validation(Generic[P]):
    """The validation games: dense scores of a model in training, held against their labels."""

    dense: Callable[P, DenseScores]
    """Scores the games by a model: from cached rows in stage 2, from the video in stage 3."""
    labels: Mapping[str, Sequence[Spot]]
    """Spots by game id, as the official scorer reads them."""
    classes: tuple[str, ...]
    """Classes that are scored, without teams."""
    settings: Pipeline

    def score(self, *args: P.args, **kwargs: P.kwargs) -> float:
        """mAP@1 of a model; takes what `dense` takes."""
        detections = detect_games(self.dense(*args, **kwargs), self.settings.peaks)
        rate = self.settings.extract.clock_rate
        return score_detections(self.labels, detections, classes=self.classes, fps=rate).mean_ap

    def tune(self, *args: P.args, **kwargs: P.kwargs) -> Tuning:
        """The best post-processing of a model; takes what `dense` takes."""
        dense = self.dense(*args, **kwargs)
        return tune(self.labels, dense, classes=self.classes, postprocess=self.settings.peaks)


def score_cached(
    head: Head, videos: Sequence[CachedVideo], *, classes: tuple[str, ...]
) -> dict[str, dict[int, Scores]]:
    """Dense scores of a head on cached videos, by game id and half.

    Args:
        head: head in training.
        videos: videos with their feature rows.
        classes: names of the head's score columns.
    """
    dense: dict[str, dict[int, Scores]] = {}
    for item in videos:
        scores = score_features(head, item.cache, classes=classes)
        dense.setdefault(item.game.id, {})[item.video.half] = scores
    return dense
