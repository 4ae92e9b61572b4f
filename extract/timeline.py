"""A video laid on the model's clock: which picture is on screen at each tick, and which ticks make a row."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from bas.clock import Ticks, lay
from bas.config.settings import ExtractSettings
from bas.dataset.times import VideoTimes, probe
from bas.errors import DataError
from bas.extract.decode import Decoder, Frame, Health, read_frames
from bas.extract.stacks import Rows

_REFUSED = ("truncated", "hole", "backwards")
"""Problems that a policy has to allow; the others show as damage when the video is decoded."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One video on the model's clock."""

    times: VideoTimes
    ticks: Ticks
    rows: Rows
    origin_pts: int
    """Presentation time of tick 0."""

    @property
    def problem(self) -> str:
        """What the probe found and no default lets pass; empty for a sound video."""
        return "; ".join(problem.text for problem in self.times.problems if problem.kind in _REFUSED)

    def frames(
        self, rows: range, *, decoder: Decoder, device: torch.device | str, health: Health
    ) -> Generator[Frame, None, None]:
        """Every tick that `rows` hold, and those between."""
        span = self.rows.span(rows)
        return read_frames(
            self.times,
            self.ticks,
            start=span.start,
            stop=span.stop,
            decoder=decoder,
            device=device,
            health=health,
        )


def open_timeline(path: Path, settings: ExtractSettings) -> Timeline:
    """Probe a video and lay it on the clock of the settings; nothing is decoded.

    Raises:
        MissingError: there is no such file.
        DataError: it is no video, or begins so late that its tick 0 has to be told.
    """
    times = probe(path)
    origin = _origin(times, settings)
    ticks = lay(times.pts, times.time_base, origin=origin, rate=settings.clock_rate)
    return Timeline(times, ticks, Rows(len(ticks), settings.hop, settings.stack), origin)


def _origin(times: VideoTimes, settings: ExtractSettings) -> int:
    late = next((problem for problem in times.problems if problem.kind == "late"), None)
    if settings.time_origin == "auto" and late is not None:
        raise DataError(
            f"{times.path}: {late.text}, so labels may count from there or from zero. Look at one, then pass "
            "--set extract.time_origin=start (labels count from the first picture) or zero."
        )
    return times.zero_pts if settings.time_origin == "zero" else times.start_pts
