"""A video on the model's clock: the picture shown at each frame, and the frames that make each row."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from bas.clock import ClockFrames, place_on_clock
from bas.config.pipeline import ExtractSettings
from bas.dataset.video.probe import VideoTimes, probe
from bas.errors import DataError
from bas.extract.decode.frames import Decoder, DecodeStats, Frame, read_frames
from bas.extract.encode.stacks import RowLayout

_REFUSED_PROBLEMS = ("truncated", "hole", "backwards")
"""Kinds of problems that a policy must allow; the others show as damage when the video is decoded."""


@dataclass(frozen=True, slots=True)
class VideoTimeline:
    """One video on the model's clock."""

    times: VideoTimes
    clock_frames: ClockFrames
    rows: RowLayout
    origin_pts: int
    """Presentation time of frame 0."""

    @property
    def problem(self) -> str:
        """Problems found by the probe that `on_bad_video` must allow; empty if there are none."""
        return "; ".join(problem.text for problem in self.times.problems if problem.kind in _REFUSED_PROBLEMS)

    def read_frames(
        self, rows: range, *, decoder: Decoder, device: torch.device | str, stats: DecodeStats
    ) -> Generator[Frame, None, None]:
        """Yield every frame in the stacks of `rows`, and those between, once and in order."""
        span = self.rows.span(rows)
        return read_frames(
            self.times,
            self.clock_frames,
            start=span.start,
            stop=span.stop,
            decoder=decoder,
            device=device,
            stats=stats,
        )


def open_timeline(path: Path, settings: ExtractSettings) -> VideoTimeline:
    """Probe a video and place its pictures on the clock of the settings; nothing is decoded.

    Raises:
        MissingError: the file does not exist.
        DataError: it is not a video, or starts so late that the user must say where frame 0 is.
    """
    times = probe(path)
    origin = _origin(times, settings)
    clock_frames = place_on_clock(times.pts, times.time_base, origin=origin, rate=settings.clock_rate)
    layout = RowLayout(len(clock_frames), settings.hop, settings.stack)
    return VideoTimeline(times, clock_frames, layout, origin)


def _origin(times: VideoTimes, settings: ExtractSettings) -> int:
    # Annotation tools disagree: some count from the first picture, some from the container's zero.
    # Beyond half a second ("late") a wrong guess would move every label out of its tolerance.
    late = next((problem for problem in times.problems if problem.kind == "late"), None)
    if settings.time_origin == "auto" and late is not None:
        raise DataError(
            f"{times.path}: {late.text}, so labels may count from there or from zero. Compare one label with "
            "the video, then pass --set extract.time_origin=start (labels count from the first picture) or zero."
        )
    return times.zero_pts if settings.time_origin == "zero" else times.start_pts
