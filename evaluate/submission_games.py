"""The games that a zip is held against: of the split that it names, as far as they are on this disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bas.dataset import BALL_CLASSES, open_dataset
from bas.dataset.games import listing
from bas.dataset.layouts import VideoSize
from bas.dataset.splits import ALL, official_lists, split_lists, split_name
from bas.errors import MissingError
from bas.evaluate.submission import games_in
from bas.types import Game

_SIZES: tuple[VideoSize, ...] = ("224p", "720p")  # the later counts where both are there


@dataclass(frozen=True, slots=True)
class Expected:
    """What a zip should hold."""

    split: str | None
    """None where it names the games of no split, or of several."""
    games: tuple[Game, ...]
    """Those that are not on this disk have no videos."""
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    """What cannot be checked."""


def expected_games(archive: Path, data: Path, *, split: str | None) -> Expected:
    """The games of a split; without one, of the split whose games the zip names, else those that it names.

    Args:
        archive: the zip.
        data: folder of the matches; where it is not there, or knows none of the games, SoccerNet's lists count.
        split: of the data, or of SoccerNet; or `all` of the data.

    Raises:
        MissingError: the zip is not there, or there is no such split.
        DataError: it is no zip, or the data are laid out wrongly.
    """
    named = tuple(dict.fromkeys(games_in(archive)))
    try:
        known = _known(data)
    except MissingError:
        if split is not None and data.exists():
            raise
        known = _soccernet()
    if split is not None:
        return _of_split(split_name(split), known, archive=archive)
    if not _names(named, known.games):
        known = _soccernet()
    splits = [name for name, games in known.lists.items() if name != ALL and _names(named, games)]
    if len(splits) == 1:
        return _of_split(splits[0], known, archive=archive)
    told = f"it names games of {listing(splits)}" if splits else "it names games of no split"
    note = f"{told}, so it is not checked whether a game is missing"
    return Expected(None, known.take(named), known.classes, (note,))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of matches without looking into the zip."""

    games: Mapping[str, Game]
    """Each with the size of video that is there."""
    classes: tuple[str, ...]
    lists: Mapping[str, Sequence[str]]
    """Ids of every split."""

    def take(self, ids: Sequence[str]) -> tuple[Game, ...]:
        return tuple(self.games.get(game, Game(game, (), None)) for game in ids)


def _known(data: Path) -> _Known:
    games: dict[str, Game] = {}
    for size in _SIZES:
        dataset = open_dataset(data, video=size)
        for game in dataset.games:
            if game.id not in games or all(video.path.is_file() for video in game.videos):
                games[game.id] = game
    lists = {**split_lists(data, dataset.layout), ALL: tuple(games)}
    return _Known(games, dataset.classes, lists)


def _soccernet() -> _Known:
    return _Known({}, BALL_CLASSES, official_lists("spotting-ball"))


def _of_split(name: str, known: _Known, *, archive: Path) -> Expected:
    if name not in known.lists:
        raise MissingError(
            f"{archive} cannot be held against a split {name!r}: there are {', '.join(known.lists)}. Leave out --split "
            "to take the one whose games it names."
        )
    return Expected(name, known.take(known.lists[name]), known.classes, ())


def _names(named: Sequence[str], games: Collection[str]) -> bool:
    """Whether a zip names one of some games, be it inside a folder around them."""
    return any(name == game or name.endswith(f"/{game}") for game in games for name in named)
