"""Which clips an epoch reads, and in what order: a function of seed and epoch, however many processes share them.

A step takes one clip of each of `batch` lanes. A lane reads its part of the drawn clips in the order
of the videos, so that one decoder runs through each video once, and gives them out shuffled: some
clips wait, and one of them is taken at random. Processes share the lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from bas.config import FinetuneSettings
from bas.extract.timeline import Timeline
from bas.heads.head import Head, WindowHead
from bas.heads.sampling import draw
from bas.heads.targets import Targets
from bas.types import Game, Video

_SHORTEST = 31


@dataclass(frozen=True, slots=True)
class Footage:
    """One training video: its pictures, what is true of its rows, and how often each is drawn."""

    game: Game
    video: Video
    timeline: Timeline
    targets: Targets
    weights: Float64[np.ndarray, "rows"]
    """Probability of drawing each row of the video, up to a factor that all videos share."""
    keyframes: Int64[np.ndarray, "keyframes"]
    """Ticks that show a keyframe."""


@dataclass(frozen=True, slots=True)
class ClipShape:
    """Which rows of a clip the head reads together, and which it tells of."""

    rows: int
    windows: Int64[np.ndarray, "windows window"]
    """Rows of each window."""
    told: Int64[np.ndarray, "windows told"]
    """Rows that each window tells of."""

    @property
    def first_told(self) -> Bool[np.ndarray, "windows told"]:
        """Where a row is told of for the first time; windows of a clip may overlap."""
        first = np.zeros(self.told.size, bool)
        first[np.unique(self.told, return_index=True)[1]] = True
        return first.reshape(self.told.shape)


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip that is to be read; it may reach beyond the ends of its video."""

    footage: int
    first_row: int
    draws: tuple[int, ...]
    """Seed of all that is random about it."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Clips of one place in every batch."""

    clips: tuple[PlannedClip, ...]
    """As they are read."""
    order: Int64[np.ndarray, "steps"]
    """Which of them each step takes."""


def keyframe_ticks(timeline: Timeline) -> Int64[np.ndarray, "keyframes"]:
    """Ticks that show a keyframe."""
    pts = timeline.times.pts[timeline.ticks.picture]
    return np.flatnonzero(np.isin(pts, timeline.times.keyframes))


def clip_shape(head: Head, clip_rows: int | None) -> ClipShape:
    """Windows of a clip: around every row whose window fits; of heads that read whole clips, side by side.

    The last of those ends with the clip, so that each row is told of.

    Args:
        head: says what a window is.
        clip_rows: length of a clip, no shorter than the window; None takes the window's, or 31.
    """
    window = span(head)
    rows = clip_rows or max(window, _SHORTEST)
    assert rows >= window, (rows, window)
    step = 1 if isinstance(head, WindowHead) else window
    starts = np.union1d(np.arange(0, rows - window + 1, step), rows - window)
    centers = starts[:, None] - head.offsets[0]
    return ClipShape(rows, centers + head.offsets, centers + head.told)


def span(head: Head) -> int:
    """Rows from the first of a window to its last."""
    return int(head.offsets[-1] - head.offsets[0] + 1)


def plan_epoch(
    footage: Sequence[Footage], shape: ClipShape, settings: FinetuneSettings, *, epoch: int
) -> list[Lane]:
    """The lanes of an epoch, `settings.batch` of them."""
    steps = max(1, settings.samples // settings.batch)
    generator = np.random.default_rng([settings.seed, epoch])
    starts = np.cumsum([0, *(len(one.weights) for one in footage)])
    rows = draw(np.concatenate([one.weights for one in footage]), steps * settings.batch, generator)
    videos = np.searchsorted(starts, rows, "right") - 1
    told = np.unique(shape.told)
    first_rows = np.array(
        [
            _first_row(footage[video], int(row), told, generator)
            for video, row in zip(videos, rows - starts[videos], strict=True)
        ]
    )
    rank = generator.permutation(len(footage))[videos]
    in_order = np.roll(np.lexsort((first_rows, rank)), int(generator.integers(len(rows))))
    return [
        Lane(
            tuple(
                PlannedClip(int(videos[i]), int(first_rows[i]), (settings.seed, epoch, number, place))
                for place, i in enumerate(part)
            ),
            _shuffled(steps, settings.shuffle_clips, generator),
        )
        for number, part in enumerate(in_order.reshape(settings.batch, steps))
    ]


def _first_row(
    place: Footage, row: int, told: Int64[np.ndarray, "told"], generator: np.random.Generator
) -> int:
    """Where a clip begins that tells of `row`: at a keyframe if it can, so that little is decoded for nothing."""
    rows, keyframes = place.timeline.rows, place.keyframes
    begins = -(-(keyframes - rows.stack[0]) // rows.hop)  # the first row at or after each
    low, high = np.searchsorted(begins, [row - int(told[-1]), row - int(told[0]) + 1])
    possible = np.intersect1d(begins[low:high], row - told)
    return int(generator.choice(possible if len(possible) else row - told))


def _shuffled(count: int, waiting: int, generator: np.random.Generator) -> Int64[np.ndarray, "count"]:
    """0 to count - 1, each no more than `waiting` places ahead of its turn."""
    order, held = np.empty(count, np.int64), list(range(min(waiting, count)))
    for place in range(count):
        chosen = int(generator.integers(len(held)))
        order[place] = held[chosen]
        coming = place + waiting
        if coming < count:
            held[chosen] = coming
        else:
            held.pop(chosen)
    return order
