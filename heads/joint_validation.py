"""The matches that choose the epoch of a joint training, scored straight from the video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bas.config import Pipeline
from bas.errors import StoppedError
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
from bas.signals import StopFlag
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

    def score(self, stacker: Stacker, processes: Processes, stop: StopFlag) -> float:
        """mAP@1 of a stacker, the same in every process.

        Raises:
            StoppedError: a signal came to any of them.
        """
        found = {
            game: {half: detections(scores, self.settings.peaks) for half, scores in halves.items()}
            for game, halves in self._dense(stacker, processes, stop).items()
        }
        rate = self.settings.extract.clock_rate
        return score_detections(self.labels, found, classes=self.classes, fps=rate).mean_ap

    def tune(self, stacker: Stacker, processes: Processes, stop: StopFlag) -> Tuning:
        """The post-processing that suits a stacker best, the same in every process; raises as `score`."""
        dense = self._dense(stacker, processes, stop)
        return tune(self.labels, dense, classes=self.classes, peaks=self.settings.peaks)

    def _dense(self, stacker: Stacker, processes: Processes, stop: StopFlag) -> dict[str, dict[int, Scores]]:
        extract = self.settings.extract
        encoder = FrozenEncoder(
            stacker.encoder,
            size=canvas_of(extract).padded,
            grid=extract.grid,
            precision=best_precision(extract.precision, stacker.device),
            device=stacker.device,
        )
        ours = []
        for item in self.videos[processes.rank :: processes.world]:
            scores = self._scores(item, stacker, encoder, stop)
            if scores is None:
                break
            ours.append((item.game.id, item.video.half, scores))
        found: dict[str, dict[int, Scores]] = {game: {} for game in self.labels}
        for stopping, share in processes.gather((stop.raised, ours)):
            if stopping:
                stop.check()
                raise StoppedError("Another process was asked to stop. The same command continues.")
            for game, half, scores in share:
                found[game][half] = scores
        return found

    def _scores(
        self, item: FilmedVideo, stacker: Stacker, encoder: FrozenEncoder, stop: StopFlag
    ) -> Scores | None:
        """None when the process was asked to stop."""
        extract = self.settings.extract
        timeline = item.timeline
        source = rows_of(timeline, encoder, extract, decoder=self.decoder, folder=self.folder, stop=stop)
        with source as (rows, valid):
            if stop.raised:
                return None
            scores = stacker.score_rows(rows, rate=extract.row_rate)
        values = every_frame(scores, valid, hop=extract.hop, num_frames=len(timeline.ticks))
        return Scores(values, stacker.classes, extract.clock_rate)
