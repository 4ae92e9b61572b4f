"""A video on the model's clock: the picture shown at each frame, and the frames that make each row."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from bas.clock import ClockFrames, place_on_clock
from bas.config.base import Decoder
from bas.config.extract import ExtractSettings, TimeOrigin
from bas.dataset.video.probe import VideoTimes, probe
from bas.errors import DataError
from bas.extract.decode.frames import DecodeStats, Frame, read_frames

_REFUSED_PROBLEMS = ("truncated", "elsewhere", "hole", "backwards")
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
    # Annotation tools disagree: some count from the first picture, some from the container's zero.
    # Beyond half a second ("late") a wrong guess would move every label out of its tolerance.
    late = next((problem for problem in times.problems if problem.kind == "late"), None)
    if settings.time_origin == "auto" and late is not None:
        raise DataError(
            f"{times.path}: {late.text}, so labels may count from there or from zero. Compare one label with "
            "the video, then run bas extract --set extract.time_origin=start (labels count from the first picture) or "
            "bas extract --set extract.time_origin=zero, and bas fit-head with the same setting."
        )
    origin = position_origin(times, settings.time_origin)
    clock_frames = place_on_clock(
        times.pts,
        times.time_base,
        origin=origin,
        rate=settings.clock_rate,
        interval=times.declared_interval,
    )
    layout = RowLayout(len(clock_frames), settings.hop, settings.stack)
    return VideoTimeline(times, clock_frames, layout, origin)


def position_origin(times: VideoTimes, time_origin: TimeOrigin) -> int:
    """Presentation time of position 0: the container's zero for `zero`, otherwise the first picture."""
    return times.zero_pts if time_origin == "zero" else times.start_pts


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Assignment of frames to the feature rows of one video.

    With a hop of 2 and a stack of (-2, 0, 2):

        picture      p0  p1  p2  p3  --  p5  p6  p7  p8  p9  p10   a decoded image; one was lost here
        frame         0   1   2   3   4   5   6   7   8   9  10    an index on the model's clock
        feature row   0       1       2       3       4       5    row i belongs to frame i x hop
        stack                         4   -   6   -   8            frames 4, 6 and 8 make row 3
        valid         1       0       0       0       1       1    rows 1, 2 and 3 hold the lost frame 4
        window                1 ----- 2 ----- 3                    rows that a head reads for row 2

    At the ends the end frame repeats: row 5 is made of frames 8, 10 and 10.
    """

    num_frames: int
    hop: int
    """Frames from one row to the next."""
    stack: tuple[int, int, int]
    """Frames of a row's stack, relative to the row's own frame."""

    def __len__(self) -> int:
        return math.ceil(self.num_frames / self.hop)

    def frames_of(self, row: int) -> tuple[int, int, int]:
        """The three frames of a row; beyond the ends the end frame repeats."""
        first, middle, last = (min(max(row * self.hop + s, 0), self.num_frames - 1) for s in self.stack)
        return first, middle, last

    def uses(self, frame: int) -> bool:
        """Return whether any row may hold this frame; never false for one that does."""
        # The end frames stand in for all frames beyond the ends.
        if frame in (0, self.num_frames - 1):
            return True
        return any((frame - offset) % self.hop == 0 for offset in self.stack)

    def span(self, rows: range) -> range:
        """The frames to decode for `rows`: those of their stacks, and all between."""
        # Offsets may come in any order, so the ends of a stack are its extremes, not its first and last.
        return range(min(self.frames_of(rows[0])), max(self.frames_of(rows[-1])) + 1)

    def table(self, rows: range) -> Int64[np.ndarray, "rows 3"]:
        """`frames_of` for each of `rows`."""
        middle = np.arange(rows.start, rows.stop, dtype=np.int64)[:, None] * self.hop
        frames: Int64[np.ndarray, "rows 3"] = (middle + np.array(self.stack)).clip(0, self.num_frames - 1)
        return frames
