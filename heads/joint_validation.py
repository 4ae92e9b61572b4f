"""The matches that choose the epoch of a joint training, scored straight from the video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bas.config import Pipeline
from bas.evaluate.peaks import detections
from bas.evaluate.predict import every_frame
from bas.evaluate.score import score_detections
from bas.evaluate.search import Tuning, tune
from bas.extract.decode import Decoder
from bas.extract.encoder import FrozenEncoder
from bas.extract.online import rows_of
from bas.extract.precision import best_precision
from bas.extract.stacks import canvas_of
from bas.heads.film import FilmedVideo
from bas.heads.processes import Processes
from bas.heads.stacker import Stacker
from bas.types import Scores, Spot


@dataclass(frozen=True, slots=True)
class JointValidation:
    """Matches with their labels as the scorer reads them; processes share the videos."""

    videos: Sequence[FilmedVideo]
    labels: Mapping[str, Sequence[Spot]]
    """By game, from the label files themselves."""
    classes: tuple[str, ...]
    """That are scored, without teams."""
    settings: Pipeline
    decoder: Decoder
    folder: Path
    """On whose disk the rows of a video lie while it is scored."""

    def score(self, stacker: Stacker, processes: Processes) -> float:
        """mAP@1 of a stacker, the same in every process."""
        found = {
            game: {half: detections(scores, self.settings.peaks) for half, scores in halves.items()}
            for game, halves in self._dense(stacker, processes).items()
        }
        rate = self.settings.extract.clock_rate
        return score_detections(self.labels, found, classes=self.classes, fps=rate).mean_ap

    def tune(self, stacker: Stacker, processes: Processes) -> Tuning:
        """The post-processing that suits a stacker best, the same in every process."""
        dense = self._dense(stacker, processes)
        return tune(self.labels, dense, classes=self.classes, peaks=self.settings.peaks)

    def _dense(self, stacker: Stacker, processes: Processes) -> dict[str, dict[int, Scores]]:
        extract = self.settings.extract
        encoder = FrozenEncoder(
            stacker.encoder,
            size=canvas_of(extract).padded,
            grid=extract.grid,
            precision=best_precision(extract.precision, stacker.device),
            device=stacker.device,
        )
        ours = [
            (item.game.id, item.video.half, self._scores(item, stacker, encoder))
            for item in self.videos[processes.rank :: processes.world]
        ]
        found: dict[str, dict[int, Scores]] = {game: {} for game in self.labels}
        for share in processes.gather(ours):
            for game, half, scores in share:
                found[game][half] = scores
        return found

    def _scores(self, item: FilmedVideo, stacker: Stacker, encoder: FrozenEncoder) -> Scores:
        extract = self.settings.extract
        timeline = item.timeline
        with rows_of(timeline, encoder, extract, decoder=self.decoder, folder=self.folder) as (rows, valid):
            scores = stacker.score_rows(rows, rate=extract.row_rate)
        values = every_frame(scores, valid, hop=extract.hop, num_frames=len(timeline.ticks))
        return Scores(values, stacker.classes, extract.clock_rate)
