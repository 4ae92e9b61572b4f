"""What an extraction will take: rows, bytes and time of each video, without decoding a picture."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from bas import console
from bas.config.settings import ExtractSettings
from bas.extract.encoder import Encoder, FrozenEncoder, rows_a_call
from bas.extract.precision import best_precision
from bas.extract.run import caches
from bas.extract.stacks import canvas_of
from bas.extract.timeline import open_timeline
from bas.extract.weights import random_weights_path
from bas.types import Game

_MEASURE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """What one video will take."""

    game: str
    video: str
    rows: int
    bytes: int
    """Of the rows; twice as much while the file is made."""
    seconds: float
    """Of encoding, with decoding beside it; 0 where the rows are there already."""


def plan(
    games: Sequence[Game],
    settings: ExtractSettings,
    *,
    features: Path,
    device: str,
    training: Sequence[Game] = (),
) -> tuple[VideoPlan, ...]:
    """What `extract` with the same arguments will take; the encoder's rate is measured here and now.

    Raises:
        MissingError, DataError: a video is not there, or none.
    """
    unmade = (
        settings.weights == "random"
        and not random_weights_path(settings, features=features, training=training).exists()
    )
    there = {} if unmade else caches(games, settings, features=features, training=training)
    encoder = Encoder(settings.encoder)
    rate = _rows_a_second(encoder, settings, device)
    row_bytes = 2 * encoder.width * math.prod(settings.grid)
    plans = []
    for game in games:
        for video in game.videos:
            rows = len(open_timeline(video.path, settings).rows)
            seconds = 0.0 if video.path in there else rows / rate
            plans.append(VideoPlan(game.id, video.path.name, rows, rows * row_bytes, seconds))
    return tuple(plans)


def plan_table(plans: Sequence[VideoPlan]) -> Table:
    """The plan for people, with its sums."""
    table = console.table("extraction", "game", "video", "rows", "bytes", "minutes", left=2)
    for one in plans:
        numbers = (f"{one.rows:,}", f"{one.bytes:,}", f"{one.seconds / 60:.1f}" if one.seconds else "there")
        table.add_row(escape(one.game), escape(one.video), *numbers)
    table.add_section()
    rows, size, seconds = (
        sum(column) for column in zip(*((p.rows, p.bytes, p.seconds) for p in plans), strict=True)
    )
    table.add_row("all", "", f"{rows:,}", f"{size:,}", f"{seconds / 60:.1f}")
    return table


def _rows_a_second(encoder: Encoder, settings: ExtractSettings, device: str) -> float:
    canvas = canvas_of(settings)
    precision = best_precision(settings.precision, device)
    frozen = FrozenEncoder(
        encoder, size=canvas.padded, grid=settings.grid, precision=precision, device=device
    )
    count = rows_a_call(settings.batch, size=canvas.padded, device=device)
    stacks = canvas.empty(count, device=device, dtype=frozen.dtype).random_(0, 256)
    frozen(stacks)  # the first call prepares
    started, calls = time.monotonic(), 0
    while time.monotonic() - started < _MEASURE_SECONDS:
        frozen(stacks).cpu()
        calls += 1
    return calls * count / (time.monotonic() - started)
