"""The matches that choose the epoch, scored exactly as `bas eval` scores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bas.config import Pipeline
from bas.evaluate.peaks import detections
from bas.evaluate.predict import slide
from bas.evaluate.score import Evaluation, score_detections
from bas.evaluate.search import Tuning, tune
from bas.heads.head import Head
from bas.heads.material import CachedVideo
from bas.heads.stacker import RowSpotter
from bas.types import Scores, Spot


@dataclass(frozen=True, slots=True)
class Validation:
    """Cached matches with their labels as the scorer reads them."""

    videos: Sequence[CachedVideo]
    labels: Mapping[str, Sequence[Spot]]
    """By game, from the label files themselves."""
    classes: tuple[str, ...]
    """That are scored, without teams."""
    columns: tuple[str, ...]
    """Of the head's scores."""
    settings: Pipeline

    def score(self, head: Head) -> Evaluation:
        """mAP@1 of a head."""
        found = {
            game: {half: detections(scores, self.settings.peaks) for half, scores in halves.items()}
            for game, halves in self._dense(head).items()
        }
        return score_detections(
            self.labels, found, classes=self.classes, fps=self.settings.extract.clock_rate
        )

    def tune(self, head: Head) -> Tuning:
        """The post-processing that suits a head best."""
        return tune(self.labels, self._dense(head), classes=self.classes, peaks=self.settings.peaks)

    def _dense(self, head: Head) -> dict[str, dict[int, Scores]]:
        spotter = RowSpotter(head, self.columns)
        found: dict[str, dict[int, Scores]] = {game: {} for game in self.labels}
        for item in self.videos:
            found[item.game.id][item.video.half] = slide(spotter, item.cache)
        return found
