"""Missing and damaged pictures of a video, and the policy for videos with too many of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from bas.clock import milliseconds, span_text
from bas.config.extract import ExtractSettings
from bas.errors import DataError
from bas.extract.decode.timeline import VideoTimeline

_MAX_LOSS = Fraction(1, 1000)  # share of the frames in the rows
_MAX_GAP = Fraction(1, 2)  # seconds
_FEW = 3  # frames; as many are no loss that matters in any video, however short


@dataclass(frozen=True, slots=True)
class VideoQuality:
    """Counts over the frames that the rows of a video hold."""

    expected: int
    """Number of frames that rows hold."""
    missing: int
    """Number of these frames without a picture."""
    damaged: int
    """Number of these frames whose picture is damaged."""
    gap: range
    """Longest stretch of frames without a valid picture."""
    valid: Bool[np.ndarray, "rows"]
    """True for rows whose pictures are all valid."""
    rate: Fraction
    """Frames per second."""

    @property
    def is_insufficient(self) -> bool:
        """Whether more is lost than is accepted without the user's consent."""
        lost = self.missing + self.damaged
        return exceeds_loss(lost, of=self.expected) or len(self.gap) > _MAX_GAP * self.rate

    @property
    def text(self) -> str:
        """Description of the loss for messages; empty if nothing is lost."""
        if not self.gap:
            return ""
        start, stop = (milliseconds(frame / self.rate) for frame in (self.gap.start, self.gap.stop))
        return (
            f"of {self.expected:,} pictures {self.missing:,} are missing and {self.damaged:,} damaged, "
            f"the longest stretch at {span_text(start, stop)}"
        )


def measure_quality(timeline: VideoTimeline, flags: Bool[np.ndarray, "rows 3"]) -> VideoQuality:
    """Count missing and damaged pictures.

    Args:
        timeline: timeline of the video.
        flags: for each frame of each row, whether its picture is present and undamaged.
    """
    frames = timeline.rows.table(range(len(timeline.rows)))
    present = timeline.clock_frames.present
    used, broken = np.zeros((2, len(present)), bool)
    used[frames] = True
    broken[frames[~flags]] = True
    # With time_origin=zero, frames may precede the first picture. They were never in the video, so
    # they are no loss; their rows are still invalid.
    before = int(np.argmax(present))
    used[:before] = broken[:before] = False
    return VideoQuality(
        expected=int(used.sum()),
        missing=int((used & ~present).sum()),
        damaged=int((broken & present).sum()),
        gap=_longest(np.flatnonzero(used), broken[used]),
        valid=np.all(flags, axis=1),
        rate=timeline.clock_frames.rate,
    )


def exceeds_loss(lost: int, *, of: int) -> bool:
    """Return whether so many of a video's pictures are lost that the user must know."""
    return lost > _FEW and lost > _MAX_LOSS * of


def enforce_bad_video_policy(video: Path, problem: str, settings: ExtractSettings) -> None:
    """Enforce the setting `on_bad_video` for a video with a problem.

    Raises:
        DataError: the setting is not degrade.
    """
    if settings.on_bad_video != "degrade":
        raise DataError(
            f"{video}: {problem}. Copy or download it again; or pass --set extract.on_bad_video=degrade to "
            "bas extract or bas fit-head to cache the readable part, with the other rows marked as invalid, or =skip to "
            "leave it out."
        )


def _longest(frames: Int64[np.ndarray, "used"], broken: Bool[np.ndarray, "used"]) -> range:
    """Return the longest run of broken frames, from its first to its last."""
    # Padded with unbroken frames, every run has a rising and a falling edge. Runs are sought among
    # the used frames, which may lie apart, but measured on the clock.
    edges = np.flatnonzero(np.diff(np.concatenate([[0], broken.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    if len(starts) == 0:
        return range(0)
    longest = int(np.argmax(frames[stops - 1] - frames[starts]))
    return range(int(frames[starts[longest]]), int(frames[stops[longest] - 1]) + 1)
