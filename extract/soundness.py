"""How much of a video could be read, and whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from bas.clock import milliseconds, span_text
from bas.config.settings import ExtractSettings
from bas.errors import DataError
from bas.extract.timeline import Timeline

_MOST_LOST = Fraction(1, 1000)  # of the ticks that rows hold
_LONGEST_GAP = Fraction(1, 2)  # seconds


@dataclass(frozen=True, slots=True)
class Soundness:
    """Counts of the ticks that the rows of a video hold."""

    expected: int
    missing: int
    """Ticks without a picture."""
    damaged: int
    """Ticks whose picture is damaged."""
    gap: range
    """The longest stretch of ticks without a sound picture."""
    valid: Bool[np.ndarray, "rows"]
    """Rows that hold sound pictures alone."""
    rate: Fraction
    """Ticks a second."""

    @property
    def too_little(self) -> bool:
        """Whether more is lost than passes without a word from the user."""
        lost = self.missing + self.damaged
        return too_many(lost, of=self.expected) or len(self.gap) > _LONGEST_GAP * self.rate

    @property
    def text(self) -> str:
        """What is lost, for people; empty where nothing is."""
        if not self.gap:
            return ""
        start, stop = (milliseconds(tick / self.rate) for tick in (self.gap.start, self.gap.stop))
        return (
            f"of {self.expected:,} pictures {self.missing:,} are missing and {self.damaged:,} damaged, "
            f"the longest stretch at {span_text(start, stop)}"
        )


def soundness_of(timeline: Timeline, flags: Bool[np.ndarray, "rows 3"]) -> Soundness:
    """Count what is missing and damaged.

    Args:
        timeline: of the video.
        flags: for each tick of each row, whether its picture came and is sound.
    """
    ticks = timeline.rows.table(range(len(timeline.rows)))
    present = timeline.ticks.present
    used, broken = np.zeros((2, len(present)), bool)
    used[ticks] = True
    broken[ticks[~flags]] = True
    before = int(np.argmax(present))  # ticks before the first picture, where the user told of some
    used[:before] = broken[:before] = False
    return Soundness(
        expected=int(used.sum()),
        missing=int((used & ~present).sum()),
        damaged=int((broken & present).sum()),
        gap=_longest(np.flatnonzero(used), broken[used]),
        valid=np.all(flags, axis=1),
        rate=timeline.ticks.rate,
    )


def too_many(lost: int, *, of: int) -> bool:
    """Whether so many of a video's pictures are lost that people are to know."""
    return lost > _MOST_LOST * of


def judge(video: Path, problem: str, settings: ExtractSettings) -> None:
    """Let a video with a problem pass where the settings say degrade.

    Raises:
        DataError: they say otherwise.
    """
    if settings.on_bad_video != "degrade":
        raise DataError(
            f"{video}: {problem}. Copy or download it again; or pass --set extract.on_bad_video=degrade to "
            "cache what there is, with the rest marked as not valid, or =skip to leave it out."
        )


def _longest(ticks: Int64[np.ndarray, "used"], broken: Bool[np.ndarray, "used"]) -> range:
    """The longest run of broken ticks, from its first to its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], broken.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    if len(starts) == 0:
        return range(0)
    longest = int(np.argmax(ticks[stops - 1] - ticks[starts]))
    return range(int(ticks[starts[longest]]), int(ticks[stops[longest] - 1]) + 1)
