"""A few stacks from all over a set of games, for measurements before extraction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from bas import console
from bas.config.pipeline import ExtractSettings
from bas.errors import DataError, MissingError
from bas.extract.decode.frames import DecodeStats
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.extract.encode.stacks import canvas_of, stack_batches
from bas.types import Game


def sample_stacks(
    games: Sequence[Game], settings: ExtractSettings, *, count: int
) -> Iterator[UInt8[Tensor, "3 h w"]]:
    """Yield up to `count` stacks, spread evenly over each video, the videos taking turns.

    Videos that cannot be read and damaged stacks are skipped, unreadable videos with a warning.
    """
    timelines = [opened for game in games for video in game.videos if (opened := _open(video.path, settings))]
    turns = -(-count // max(1, len(timelines)))
    samples = [(timeline, (turn + 0.5) / turns) for turn in range(turns) for timeline in timelines]
    for timeline, share in samples[:count]:
        row = int(share * len(timeline.rows))
        if (stack := _stack(timeline, row, settings)) is not None:
            yield stack


def _open(path: Path, settings: ExtractSettings) -> VideoTimeline | None:
    try:
        return open_timeline(path, settings)
    except (DataError, MissingError) as error:
        console.warn(f"{path.name} is not measured: {error}")
        return None


def _stack(timeline: VideoTimeline, row: int, settings: ExtractSettings) -> UInt8[Tensor, "3 h w"] | None:
    canvas = canvas_of(settings)
    buffer = canvas.empty(1, device="cpu", dtype=torch.uint8)
    rows = range(row, row + 1)
    try:
        frames = list(timeline.read_frames(rows, decoder="cpu", device="cpu", stats=DecodeStats()))
    except DataError as error:
        console.warn(f"row {row} of {timeline.times.path.name} is not measured: {error}")
        return None
    for batch in stack_batches(frames, [rows], rows=timeline.rows, canvas=canvas, buffer=buffer):
        if all(frame.is_valid for frame in frames):
            return batch.stacks[0]
    return None
