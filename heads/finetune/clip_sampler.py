"""Sampling of the clips of an epoch and their order: a function of seed and epoch, whatever the number of processes.

A training step takes one clip for each of `batch` slots. Each slot gets an equal share of the sampled
clips and decodes them in the order of the videos, so that one decoder passes through each video once.
A shuffle buffer then randomizes their order: some decoded clips wait, and each step takes one of them
at random. Processes divide the slots among themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from bas.config import ExtractSettings, FinetuneSettings
from bas.extract.decode.timeline import VideoTimeline
from bas.heads.models.base import Head, WindowHead
from bas.heads.training.sampling import draw_rows
from bas.heads.training.targets import Targets
from bas.types import Video

_MIN_DEFAULT_ROWS = 31


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A training video to cut clips from, with the targets and sampling probabilities of its rows."""

    video: Video
    timeline: VideoTimeline
    targets: Targets
    probabilities: Float64[np.ndarray, "rows"]
    """Sampling probability of each row, up to a factor common to all videos."""
    keyframes: Int64[np.ndarray, "keyframes"]
    """Frames that show a keyframe, ascending."""


@dataclass(frozen=True, slots=True)
class ClipShape:
    """Rows of a clip: the frames that each is built from, the windows that lie in it, and what they predict."""

    num_rows: int
    """Length of a clip in rows."""
    offsets: Int64[np.ndarray, "frames"]
    """Distinct frames that a clip reads, relative to that of its first row, ascending."""
    stacks: Int64[np.ndarray, "rows 3"]
    """Indices into `offsets` of each row's stack."""
    windows: Int64[np.ndarray, "windows window"]
    """Rows of each window, counted from the first row of the clip."""
    target_rows: Int64[np.ndarray, "windows targets"]
    """Rows that each window predicts, counted likewise."""

    @property
    def first_occurrence(self) -> Bool[np.ndarray, "windows targets"]:
        """Mask of `target_rows` that keeps each row once, for windows of a clip may overlap."""
        first = np.zeros(self.target_rows.size, bool)
        # np.unique gives the first position of each row in the flattened windows.
        first[np.unique(self.target_rows, return_index=True)[1]] = True
        return first.reshape(self.target_rows.shape)


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip to be decoded; it may extend beyond either end of its video."""

    source: int
    """Index of its clip source."""
    first_row: int
    seed: tuple[int, ...]
    """Seed of every random choice made for this clip."""


@dataclass(frozen=True, slots=True)
class BatchSlot:
    """The clips of one epoch at one position of the batch."""

    clips: tuple[PlannedClip, ...]
    """Clips in decoding order."""
    order: Int64[np.ndarray, "steps"]
    """Index into `clips` of the clip that each step takes."""


def keyframe_indices(timeline: VideoTimeline) -> Int64[np.ndarray, "keyframes"]:
    """Frames that show a keyframe, ascending."""
    pts = timeline.times.pts[timeline.clock_frames.picture]
    return np.flatnonzero(np.isin(pts, timeline.times.keyframes))


def clip_shape(head: Head, clip_rows: int | None, extract: ExtractSettings) -> ClipShape:
    """Lay the windows of a head out in a clip.

    A window head gets one window around every row whose full window lies inside the clip. A sequence
    head gets windows side by side; the last one ends with the clip, so that every row is predicted.

    Args:
        head: defines the rows of a window and the rows that it predicts.
        clip_rows: length of a clip, at least that of a window; None means the window's, but at least 31.
        extract: frames of a row.
    """
    window = head.window_rows
    rows = clip_rows or max(window, _MIN_DEFAULT_ROWS)
    assert rows >= window, (rows, window)
    step = 1 if isinstance(head, WindowHead) else window
    # The union adds the window that ends with the clip, where the step does not reach it exactly.
    starts = np.union1d(np.arange(0, rows - window + 1, step), rows - window)
    centers = starts[:, None] - head.offsets[0]  # offsets count from the center, so the first is not positive
    frames = np.arange(rows)[:, None] * extract.hop + np.array(extract.stack)
    # Stacks of neighboring rows share frames, and each frame is decoded and kept once.
    offsets, stacks = np.unique(frames, return_inverse=True)
    return ClipShape(
        rows, offsets, stacks.reshape(frames.shape), centers + head.offsets, centers + head.target_offsets
    )


def plan_epoch(
    sources: Sequence[ClipSource], shape: ClipShape, settings: FinetuneSettings, *, epoch: int
) -> list[BatchSlot]:
    """Sample the clips of an epoch, as `settings.batch` slots."""
    steps = max(1, settings.samples // settings.batch)
    generator = np.random.default_rng([settings.seed, epoch])
    # Rows of all videos under one numbering; `starts` holds the number of each video's first row.
    starts = np.cumsum([0, *(len(source.probabilities) for source in sources)])
    probabilities = np.concatenate([source.probabilities for source in sources])
    rows = draw_rows(probabilities, steps * settings.batch, generator)
    videos = np.searchsorted(starts, rows, "right") - 1
    targets = np.unique(shape.target_rows)
    first_rows = np.array(
        [
            _first_row(sources[video], int(row), targets, generator)
            for video, row in zip(videos, rows - starts[videos], strict=True)
        ]
    )
    # Sort by video, in an order that is new every epoch, then by time. Rotating the sequence makes the
    # slots, which cut it into equal parts, begin at other places in the videos in every epoch.
    rank = generator.permutation(len(sources))[videos]
    in_order = np.roll(np.lexsort((first_rows, rank)), int(generator.integers(len(rows))))
    return [
        BatchSlot(
            tuple(
                PlannedClip(int(videos[i]), int(first_rows[i]), (settings.seed, epoch, number, position))
                for position, i in enumerate(part)
            ),
            _buffered_shuffle(steps, settings.shuffle_clips, generator),
        )
        for number, part in enumerate(in_order.reshape(settings.batch, steps))
    ]


def _first_row(
    source: ClipSource, row: int, targets: Int64[np.ndarray, "targets"], generator: np.random.Generator
) -> int:
    """Choose the first row of a clip that predicts `row`.

    A clip that begins at a keyframe is preferred: decoding has to start at a keyframe, so fewer
    pictures are decoded in vain.
    """
    rows, keyframes = source.timeline.rows, source.keyframes
    # For each keyframe, the first row whose whole stack lies at or after it (ceiling division).
    candidates = -(-(keyframes - rows.stack[0]) // rows.hop)
    # Candidates from which the clip reaches `row` with one of its target rows; those may have gaps.
    low, high = np.searchsorted(candidates, [row - int(targets[-1]), row - int(targets[0]) + 1])
    at_keyframe = np.intersect1d(candidates[low:high], row - targets)
    return int(generator.choice(at_keyframe if len(at_keyframe) else row - targets))


def _buffered_shuffle(
    count: int, buffer_size: int, generator: np.random.Generator
) -> Int64[np.ndarray, "count"]:
    """Permutation of range(count) in which no index comes `buffer_size` or more places early."""
    order, buffer = np.empty(count, np.int64), list(range(min(buffer_size, count)))
    # As if read from a stream: the place of the one that is taken goes to the next one read.
    for position in range(count):
        chosen = int(generator.integers(len(buffer)))
        order[position] = buffer[chosen]
        following = position + buffer_size
        if following < count:
            buffer[chosen] = following
        else:
            buffer.pop(chosen)
    return order
