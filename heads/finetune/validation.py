"""Dense scores for the validation of stage 3: straight from video, shared by the processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bas.config import Pipeline
from bas.config.base import Decoder
from bas.errors import StoppedError
from bas.extract.encode.device import best_precision
from bas.extract.encode.encoder import FrozenEncoder
from bas.extract.encode.stacks import canvas_of
from bas.extract.online import features_of
from bas.heads.finetune.clip_loader import AnnotatedTimeline
from bas.heads.finetune.distributed import DistributedContext
from bas.heads.models.stacker import Stacker
from bas.signals import StopFlag
from bas.types import Scores


@dataclass(frozen=True, slots=True)
class OnlineScorer:
    """Dense scores of the validation games straight from video; processes share the videos."""

    videos: Sequence[AnnotatedTimeline]
    settings: Pipeline
    decoder: Decoder
    folder: Path
    """Folder for the features of the video being scored; they are on disk only for that long."""

    def __call__(
        self, stacker: Stacker, distributed: DistributedContext, stop: StopFlag
    ) -> dict[str, dict[int, Scores]]:
        """Scores of every frame by game id and half, the same in every process.

        Raises:
            StoppedError: any process received a stop signal.
        """
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
        found: dict[str, dict[int, Scores]] = {video.game.id: {} for video in self.videos}
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
        source = features_of(
            video.timeline, encoder, extract, decoder=self.decoder, folder=self.folder, stop=stop
        )
        with source as features:
            return None if stop.raised else stacker.scores(features)
