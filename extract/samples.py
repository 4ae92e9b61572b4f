"""A few stacks from all over a set of games, for whatever has to be measured before extraction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from bas import console
from bas.config.settings import ExtractSettings
from bas.errors import DataError, MissingError
from bas.extract.decode import Health
from bas.extract.stacks import batches, canvas_of
from bas.extract.timeline import Timeline, open_timeline
from bas.types import Game


def spread_stacks(
    games: Sequence[Game], settings: ExtractSettings, *, count: int
) -> Iterator[UInt8[Tensor, "3 h w"]]:
    """Yield up to `count` stacks, spread evenly over each video, the videos taking turns.

    Videos that cannot be read are left out, with a warning, and so are damaged stacks.
    """
    timelines = [opened for game in games for video in game.videos if (opened := _open(video.path, settings))]
    turns = -(-count // max(1, len(timelines)))
    places = [(timeline, (turn + 0.5) / turns) for turn in range(turns) for timeline in timelines]
    for timeline, share in places[:count]:
        row = int(share * len(timeline.rows))
        if (stack := _stack(timeline, row, settings)) is not None:
            yield stack


def _open(path: Path, settings: ExtractSettings) -> Timeline | None:
    try:
        return open_timeline(path, settings)
    except (DataError, MissingError) as error:
        console.warn(f"nothing is measured on {path.name}: {error}")
        return None


def _stack(timeline: Timeline, row: int, settings: ExtractSettings) -> UInt8[Tensor, "3 h w"] | None:
    canvas = canvas_of(settings)
    buffer = canvas.empty(1, device="cpu", dtype=torch.uint8)
    rows = range(row, row + 1)
    try:
        frames = list(timeline.frames(rows, decoder="cpu", device="cpu", health=Health()))
    except DataError as error:
        console.warn(f"nothing is measured on row {row} of {timeline.times.path.name}: {error}")
        return None
    for batch in batches(frames, [rows], rows=timeline.rows, canvas=canvas, buffer=buffer):
        if all(frame.sound for frame in frames):
            return batch.stacks[0]
    return None
