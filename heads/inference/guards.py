"""Guards between a model and games: class lists that must agree, and games that it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bas import console
from bas.dataset import Dataset, VideoTimes
from bas.errors import DataError, MissingError, SettingsError
from bas.heads.interop.model_folder import training_games
from bas.messages import listing
from bas.types import Game
from bas.vocabulary import actions_of

VALID = "valid"


def validation_games(dataset: Dataset, run: Path, config: Mapping[str, Any]) -> tuple[Game, ...]:
    """The validation matches of a model; without a record of them, the validation split. Never a test match.

    Raises:
        SettingsError: the model was trained on one of them, or one is in the test split.
        MissingError: some of them are not in the dataset.
    """
    valid_ids = (
        config["tuning"]["games"] if "tuning" in config else [game.id for game in dataset.split(VALID)]
    )
    trained_on = sorted(set(valid_ids) & training_games(run))
    if config["data"].get("validation matches") == 0:
        trained_on = valid_ids
    if trained_on:
        raise SettingsError(
            f"{run} was trained on {listing(trained_on)}, so it cannot be tuned on them: the result would be too "
            "optimistic. Take the post-processing of a run trained on the training split alone: copy settings.peaks of its config.json."
        )
    in_test = sorted(set(valid_ids) & {game.id for game in dataset.split("test")})
    if in_test:
        raise SettingsError(
            f"{run} was validated on {listing(in_test)}, now in the test split of {dataset.root}. Tuning on test matches "
            f"would make the test score worthless. Move them back to the split {VALID}."
        )
    games = tuple(game for game in dataset.split("all") if game.id in valid_ids)
    absent = sorted(set(valid_ids) - {game.id for game in games})
    if absent:
        raise MissingError(
            f"{run} was validated on {listing(absent)}, not found in {dataset.root}. Name the folder that holds them: --data."
        )
    return games


def require_classes(classes: Sequence[str], dataset: Dataset, *, run: Path) -> None:
    """Check that the matches are labeled with the classes that the model predicts.

    Raises:
        DataError: they are not; the message lists both.
    """
    actions = actions_of(classes)
    if set(actions) != set(dataset.classes):
        raise DataError(
            f"The model in {run} predicts {', '.join(actions)}, but {dataset.root} is labeled with "
            f"{', '.join(dataset.classes)}. Use a model of these classes, or matches labeled with its own."
        )


def require_same(runs: Sequence[Path], values: Sequence[str], *, problem: str, remedy: str) -> None:
    """Check that runs which work together agree on something.

    Args:
        runs: folders of the runs.
        values: what each run has.
        problem: sentence without its full stop that says what differs.
        remedy: sentence that says what to do.

    Raises:
        SettingsError: one differs from the first; the message holds both.
    """
    for run, value in zip(runs, values, strict=True):
        if value != values[0]:
            raise SettingsError(f"{problem} ({runs[0]}: {values[0]}; {run}: {value}). {remedy}")


def warn_of_late_start(times: VideoTimes) -> None:
    """Warn if the pictures of a video start so late that its positions are ambiguous."""
    if late := next((problem for problem in times.problems if problem.kind == "late"), None):
        console.warn(
            f"{times.path}: {late.text}. Subtitles, clips and events.csv follow the clock of players, other positions "
            "the model's extract.time_origin (auto: from the first picture)."
        )


def warn_of_leakage(run: Path, games: Sequence[Game]) -> None:
    """Warn if a model was trained on some of the games."""
    seen = sorted(training_games(run) & {game.id for game in games})
    if seen:
        console.warn(f"{run} was trained on {listing(seen)}; its scores on them are not held-out.")


def require_unseen(start: Path, validation_ids: Iterable[str], *, option: str) -> None:
    """Refuse to choose epochs by games that the starting model was trained on.

    Args:
        start: folder of the starting model.
        validation_ids: ids of the games that choose the epoch.
        option: option that names the starting model, for the message.

    Raises:
        SettingsError: it was; the message lists them.
    """
    seen = sorted(training_games(start) & set(validation_ids))
    if seen:
        raise SettingsError(
            f"{start} was trained on {listing(seen)}, but these matches validate the epochs: their scores would be too "
            f"high. Start from a run on the training matches only: {option}."
        )
