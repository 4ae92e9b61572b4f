"""Validation on cached games, scored exactly as `bas eval` does, to choose the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bas.config import Pipeline
from bas.evaluate.postprocess.events import detect
from bas.evaluate.postprocess.search import Tuning, tune
from bas.evaluate.scores import score_video
from bas.evaluate.scoring.score import Evaluation, score_detections
from bas.heads.models.base import Head
from bas.heads.models.stacker import RowSpotter
from bas.heads.training.dataset import CachedVideo
from bas.types import Scores, Spot


@dataclass(frozen=True, slots=True)
class Validation:
    """Cached validation games with their labels as the scorer reads them."""

    videos: Sequence[CachedVideo]
    labels: Mapping[str, Sequence[Spot]]
    """Annotations by game, from the label files."""
    classes: tuple[str, ...]
    """Classes that are scored, without teams."""
    columns: tuple[str, ...]
    """Names of the head's score columns."""
    settings: Pipeline

    def score(self, head: Head) -> Evaluation:
        """Score a head's detections; the evaluation includes mAP@1."""
        found = {
            game: {half: detect(scores, self.settings.peaks) for half, scores in halves.items()}
            for game, halves in self._dense(head).items()
        }
        return score_detections(
            self.labels, found, classes=self.classes, fps=self.settings.extract.clock_rate
        )

    def tune(self, head: Head) -> Tuning:
        """Find the best post-processing for a head."""
        return tune(self.labels, self._dense(head), classes=self.classes, peaks=self.settings.peaks)

    def _dense(self, head: Head) -> dict[str, dict[int, Scores]]:
        spotter = RowSpotter(head, self.columns)
        found: dict[str, dict[int, Scores]] = {game: {} for game in self.labels}
        for item in self.videos:
            found[item.game.id][item.video.half] = score_video(spotter, item.cache)
        return found
