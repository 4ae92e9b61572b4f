"""`bas extract`: the videos of a split, made or planned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.config import ExtractSettings
from bas.dataset import Dataset, open_dataset
from bas.errors import MissingError, SettingsError
from bas.extract.decode import Decoder
from bas.extract.plan import plan, plan_table
from bas.extract.run import extract
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
    """Cache the rows of every video of a split, or of a shard of them written I/N."""
    dataset = open_dataset(data, video=settings.video)
    games = dataset.split(split)
    extract(
        games,
        settings,
        features=features,
        device=device,
        decoder=decoder,
        shard=_shard(shard),
        training=training_games(dataset, games, settings),
    )
    console.say(f"The rows of {split} are in {features}.")


def plan_split(settings: ExtractSettings, *, data: Path, features: Path, split: str, device: str) -> None:
    """Print what `extract_split` will take; nothing is decoded."""
    dataset = open_dataset(data, video=settings.video)
    games = dataset.split(split)
    training = training_games(dataset, games, settings)
    console.show(plan_table(plan(games, settings, features=features, device=device, training=training)))


def training_games(dataset: Dataset, games: Sequence[Game], settings: ExtractSettings) -> Sequence[Game]:
    """The matches that random weights are measured on: the training split, or without one the matches at hand."""
    if settings.weights != "random":
        return ()
    try:
        return dataset.split("train")
    except MissingError:
        console.say(f"No training split here: random weights are measured on these {len(games)} matches.")
        return games


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise SettingsError(f"--shard {text} is not of the form I/N, as 0/4 for the first of four.")
    return int(number), int(count)
