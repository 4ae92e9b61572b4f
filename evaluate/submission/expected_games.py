"""Games that a submission should contain: those of a split, with their videos as far as these are on disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bas.dataset import BALL_CLASSES, SOCCERNET_V2_CLASSES, open_dataset
from bas.dataset.layouts import VideoSize
from bas.dataset.splits import ALL, official_lists, split_lists, split_name
from bas.errors import MissingError
from bas.evaluate.formats.documents import path_endings
from bas.evaluate.submission.check import games_in_archive
from bas.messages import listing
from bas.types import Game

_SIZES: tuple[VideoSize, ...] = ("224p", "720p")  # the later wins where both exist


@dataclass(frozen=True, slots=True)
class ExpectedGames:
    """Games and classes that a zip is checked against."""

    split: str | None
    """Name of the split; None if the zip matches no split, or several."""
    games: tuple[Game, ...]
    """The expected games; those that are not on disk have no videos."""
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    """Notes on what cannot be checked."""


def expected_games(archive: Path, data: Path, *, split: str | None) -> ExpectedGames:
    """The games that a zip should contain.

    With a split, the games of that split. Without, the games of the split that the zip belongs to;
    if that is not exactly one, the games in the zip itself.

    Args:
        archive: the zip.
        data: data folder; if it does not exist or has none of the games, SoccerNet's official lists are used.
        split: a split of the data or of SoccerNet, or `all` for all games of the data; None infers it.

    Raises:
        MissingError: the zip or the split does not exist.
        DataError: the file is not a zip, or the data folder has an invalid layout.
    """
    in_archive = tuple(dict.fromkeys(games_in_archive(archive)))
    try:
        known = _games_on_disk(data)
    except MissingError:
        if split is not None and data.exists():
            raise
        known = _official_games(in_archive)
    if split is not None:
        return _of_split(split_name(split), known, archive=archive)
    if not _any_in(in_archive, known.games):
        known = _official_games(in_archive)
    splits = [name for name, games in known.lists.items() if name != ALL and _any_in(in_archive, games)]
    if len(splits) == 1:
        return _of_split(splits[0], known, archive=archive)
    reason = (
        f"its games belong to several splits ({listing(splits)})"
        if splits
        else "its games belong to no known split"
    )
    note = f"{reason}, so missing games cannot be detected"
    return ExpectedGames(None, known.select(in_archive), known.classes, (note,))


@dataclass(frozen=True, slots=True)
class _KnownGames:
    """Games and splits known independently of the zip."""

    games: Mapping[str, Game]
    """Games by id, each with videos of the size that exists on disk."""
    classes: tuple[str, ...]
    lists: Mapping[str, Sequence[str]]
    """Game ids by split."""

    def select(self, ids: Sequence[str]) -> tuple[Game, ...]:
        return tuple(self.games.get(game, Game(game, (), None)) for game in ids)


def _games_on_disk(data: Path) -> _KnownGames:
    games: dict[str, Game] = {}
    for size in _SIZES:
        dataset = open_dataset(data, video=size)
        for game in dataset.games:
            if game.id not in games or all(video.path.is_file() for video in game.videos):
                games[game.id] = game
    lists = {**split_lists(data, dataset.layout), ALL: tuple(games)}
    return _KnownGames(games, dataset.classes, lists)


def _official_games(in_archive: Sequence[str]) -> _KnownGames:
    """SoccerNet's own lists: those of SoccerNet-v2 for a zip with any of its games, otherwise of ball actions."""
    v2 = official_lists("spotting")
    if any(_any_in(in_archive, games) for games in v2.values()):
        return _KnownGames({}, SOCCERNET_V2_CLASSES, v2)
    return _KnownGames({}, BALL_CLASSES, official_lists("spotting-ball"))


def _of_split(name: str, known: _KnownGames, *, archive: Path) -> ExpectedGames:
    if name not in known.lists:
        raise MissingError(
            f"Unknown split {name!r} for {archive}. Expected one of {', '.join(known.lists)}. Leave out --split to "
            "infer it from the games in the zip."
        )
    return ExpectedGames(name, known.select(known.lists[name]), known.classes, ())


def _any_in(in_archive: Sequence[str], games: Collection[str]) -> bool:
    """Whether a zip contains any of the games, at its root or inside a wrapping folder."""
    endings = {ending for name in in_archive for ending in (name, *path_endings(name))}
    return not endings.isdisjoint(games)
