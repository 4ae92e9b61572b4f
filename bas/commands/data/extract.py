"""`bas extract`: extract the features of a split, or print the plan."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from bas import console
from bas.config import ExtractSettings
from bas.config.base import Decoder
from bas.dataset import open_dataset
from bas.errors import SettingsError
from bas.extract.decode.timeline import open_timeline
from bas.extract.encode.device import best_precision
from bas.extract.encode.encoder import Encoder, FrozenEncoder, bare_encoder, rows_per_call
from bas.extract.encode.stacks import canvas_of
from bas.extract.encode.weights import random_weights_path
from bas.extract.extract import extract, open_caches, statistics_games
from bas.types import Game

_SHARD = re.compile(r"([0-9]+)/([0-9]+)")
_MEASURE_SECONDS = 2.0


def extract_split(
    settings: ExtractSettings,
    *,
    data: Path,
    features: Path,
    split: str,
    device: str,
    decoder: Decoder,
    shard: str | None,
) -> None:
    """Extract and cache the features of every video of a split, or of shard `I/N` of them."""
    part = _parse_shard(shard)
    dataset = open_dataset(data, video=settings.video)
    games = dataset.split(split)
    extract(
        games,
        settings,
        features=features,
        device=device,
        decoder=decoder,
        shard=part,
        training=statistics_games(dataset, games, settings),
    )
    console.info(f"Features of {split}: {features}")


def plan_split(settings: ExtractSettings, *, data: Path, features: Path, split: str, device: str) -> None:
    """Print the rows, bytes and time that `extract_split` would need, without decoding."""
    dataset = open_dataset(data, video=settings.video)
    games = dataset.split(split)
    training = statistics_games(dataset, games, settings)
    console.show(plan_table(games, settings, features=features, device=device, training=training))


def plan_table(
    games: Sequence[Game],
    settings: ExtractSettings,
    *,
    features: Path,
    device: str,
    training: Sequence[Game] = (),
) -> Table:
    """Cost of `extract` with the same arguments, as a table with totals.

    Minutes are those of encoding, at the speed measured now on this device; decoding runs beside it.

    Raises:
        MissingError, DataError: a video is missing or cannot be read.
    """
    weights_missing = (
        settings.weights == "random"
        and not random_weights_path(settings, features=features, training=training).exists()
    )
    cached = {} if weights_missing else open_caches(games, settings, features=features, training=training)
    encoder = bare_encoder(settings)
    rows_per_minute = 60 * _measure_rows_per_second(encoder, settings, device)
    row_bytes = 2 * encoder.width * math.prod(settings.grid)  # of the cache; extraction needs twice the space
    table = console.table("Extraction", "game", "video", "rows", "bytes", "minutes", left=2)
    all_rows = rows_to_encode = 0
    for game in games:
        for video in game.videos:
            rows, is_cached = len(open_timeline(video.path, settings).rows), video.path in cached
            minutes = "cached" if is_cached else f"{rows / rows_per_minute:.1f}"
            names = escape(game.id), escape(video.path.name)
            table.add_row(*names, f"{rows:,}", f"{rows * row_bytes:,}", minutes)
            all_rows += rows
            rows_to_encode += rows * (not is_cached)
    table.add_section()
    total_minutes = f"{rows_to_encode / rows_per_minute:.1f}"
    table.add_row("all", "", f"{all_rows:,}", f"{all_rows * row_bytes:,}", total_minutes)
    return table


def _parse_shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = _SHARD.fullmatch(text)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 <= number < count:
        raise SettingsError(
            f"Invalid --shard {text!r}. Use I/N with 0 <= I < N, e.g. 0/4 for the first of four shards."
        )
    return number, count


def _measure_rows_per_second(encoder: Encoder, settings: ExtractSettings, device: str) -> float:
    canvas = canvas_of(settings)
    precision = best_precision(settings.precision, device)
    frozen = FrozenEncoder(
        encoder, size=canvas.padded, grid=settings.grid, precision=precision, device=device
    )
    count = rows_per_call(settings.batch, size=canvas.padded, device=device)
    stacks = canvas.empty(count, device=device, dtype=frozen.dtype).random_(0, 256)
    frozen(stacks)  # warm-up
    started, calls = time.monotonic(), 0
    while time.monotonic() - started < _MEASURE_SECONDS:
        frozen(stacks).cpu()
        calls += 1
    return calls * count / (time.monotonic() - started)
