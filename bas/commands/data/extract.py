"""`bas extract`: extract the features of a split, or print the plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.commands.data.plan import plan_extraction, plan_table
from bas.config import ExtractSettings
from bas.dataset import Dataset, open_dataset
from bas.errors import MissingError, SettingsError
from bas.extract.decode.frames import Decoder
from bas.extract.extract import extract
from bas.types import Game


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
    dataset = open_dataset(data, video=settings.video)
    games = dataset.split(split)
    extract(
        games,
        settings,
        features=features,
        device=device,
        decoder=decoder,
        shard=_parse_shard(shard),
        training=statistics_games(dataset, games, settings),
    )
    console.info(f"Features of {split}: {features}")


def plan_split(settings: ExtractSettings, *, data: Path, features: Path, split: str, device: str) -> None:
    """Print the rows, bytes and time that `extract_split` would need, without decoding."""
    dataset = open_dataset(data, video=settings.video)
    games = dataset.split(split)
    training = statistics_games(dataset, games, settings)
    console.show(
        plan_table(plan_extraction(games, settings, features=features, device=device, training=training))
    )


def statistics_games(dataset: Dataset, games: Sequence[Game], settings: ExtractSettings) -> Sequence[Game]:
    """Games whose stacks set the normalization statistics of random weights; none for other weights.

    The training split, or the given games if there is no training split.
    """
    if settings.weights != "random":
        return ()
    try:
        return dataset.split("train")
    except MissingError:
        console.info(
            f"No training split found: computing the statistics of random weights on these {len(games)} matches."
        )
        return games


def _parse_shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise SettingsError(f"Invalid --shard {text!r}. Use I/N, e.g. 0/4 for the first of four shards.")
    return int(number), int(count)
