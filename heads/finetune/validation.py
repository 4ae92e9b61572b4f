"""Validation for stage 3: scores of the validation games straight from video, shared by the processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bas.config import Pipeline
from bas.config.base import Decoder
from bas.errors import StoppedError
from bas.evaluate.postprocess.events import detect
from bas.evaluate.postprocess.search import Tuning, tune
from bas.evaluate.scores import interpolate_rows
from bas.evaluate.scoring.score import score_detections
from bas.extract.encode.device import best_precision
from bas.extract.encode.encoder import FrozenEncoder
from bas.extract.encode.stacks import canvas_of
from bas.extract.online import features_of
from bas.heads.finetune.dataset import AnnotatedTimeline
from bas.heads.finetune.distributed import DistributedContext
from bas.heads.models.stacker import Stacker
from bas.signals import StopFlag
from bas.types import Scores, Spot


@dataclass(frozen=True, slots=True)
class VideoValidation:
    """Validation games with their labels as the official scorer reads them; processes share the videos."""

    videos: Sequence[AnnotatedTimeline]
    labels: Mapping[str, Sequence[Spot]]
    """Spots by game id, from the label files themselves."""
    classes: tuple[str, ...]
    """Classes that are scored, without teams."""
    settings: Pipeline
    decoder: Decoder
    folder: Path
    """Folder for the features of the video being scored; they are on disk only for that long."""

    def score(self, stacker: Stacker, distributed: DistributedContext, stop: StopFlag) -> float:
        """mAP@1 of a model, the same in every process.

        Raises:
            StoppedError: any process received a stop signal.
        """
        detections = {
            game: {half: detect(scores, self.settings.peaks) for half, scores in halves.items()}
            for game, halves in self._dense_scores(stacker, distributed, stop).items()
        }
        rate = self.settings.extract.clock_rate
        return score_detections(self.labels, detections, classes=self.classes, fps=rate).mean_ap

    def tune(self, stacker: Stacker, distributed: DistributedContext, stop: StopFlag) -> Tuning:
        """Tune the post-processing of a model; the same result in every process. Raises as `score`."""
        dense = self._dense_scores(stacker, distributed, stop)
        return tune(self.labels, dense, classes=self.classes, peaks=self.settings.peaks)

    def _dense_scores(
        self, stacker: Stacker, distributed: DistributedContext, stop: StopFlag
    ) -> dict[str, dict[int, Scores]]:
        """Scores of every frame by game id and half, gathered from all processes."""
        extract = self.settings.extract
        encoder = FrozenEncoder(
            stacker.encoder,
            size=canvas_of(extract).padded,
            grid=extract.grid,
            precision=best_precision(extract.precision, stacker.device),
            device=stacker.device,
        )
        own = []
        for video in self.videos[distributed.rank :: distributed.world_size]:
            scores = self._scores(video, stacker, encoder, stop)
            if scores is None:
                break
            own.append((video.game.id, video.video.half, scores))
        found: dict[str, dict[int, Scores]] = {game: {} for game in self.labels}
        # A stopping process takes part too, or the others would wait here until the timeout.
        for stopping, part in distributed.gather((stop.raised, own)):
            if stopping:
                stop.check()
                raise StoppedError("Another process received a stop signal. The same command continues.")
            for game, half, scores in part:
                found[game][half] = scores
        return found

    def _scores(
        self, video: AnnotatedTimeline, stacker: Stacker, encoder: FrozenEncoder, stop: StopFlag
    ) -> Scores | None:
        """Scores of every frame of a video; None if this process received a stop signal."""
        extract = self.settings.extract
        timeline = video.timeline
        source = features_of(timeline, encoder, extract, decoder=self.decoder, folder=self.folder, stop=stop)
        with source as (features, valid):
            if stop.raised:
                return None
            scores = stacker.score_rows(features, rate=extract.row_rate)
        values = interpolate_rows(scores, valid, hop=extract.hop, num_frames=len(timeline.clock_frames))
        return Scores(values, stacker.classes, extract.clock_rate)
