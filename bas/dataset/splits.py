"""Splits of the games: the user's own `splits.yaml`, the official SoccerNet lists, or lists of videos."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from bas.config import read_yaml
from bas.dataset.annotations.video_lists import listed_splits
from bas.dataset.games import game_id
from bas.dataset.layouts import Layout, archives_in
from bas.errors import DataError, MissingError
from bas.messages import did_you_mean, listing
from bas.types import Game

SPLIT_NAMES = ("train", "valid", "test", "challenge")
ALL = "all"
SPLITS_FILE = "splits.yaml"

_ALIASES = {"val": "valid"}


def split_name(name: str) -> str:
    """Canonical name of a split; `val` is an alias of valid.

    Raises:
        MissingError: no split has this name.
    """
    name = _ALIASES.get(name, name)
    if name not in (*SPLIT_NAMES, ALL):
        raise MissingError(f"Unknown split {name!r}{did_you_mean(name, (*SPLIT_NAMES, ALL))}.")
    return name


def split_lists(root: Path, layout: Layout) -> dict[str, tuple[str, ...]]:
    """Game ids of each split, from `splits.yaml` if the data folder has one, else as the layout defines.

    Raises:
        DataError: `splits.yaml` is not a mapping of split names to game ids, or a game is in two splits.
        SettingsError: `splits.yaml` is not valid YAML.
    """
    file = root / SPLITS_FILE
    lists = _read_lists(file) if file.is_file() else _given_lists(root, layout)
    _require_apart(file, lists)
    return lists


def official_lists(task: Literal["spotting-ball", "spotting"]) -> dict[str, tuple[str, ...]]:
    """Game ids of each official SoccerNet split; needs no data."""
    from SoccerNet.utils import getListGames

    # The dataset argument stays at its default: with task "spotting-ball" it fails (SoccerNet 0.2.0).
    return {name: tuple(getListGames(name, task=task)) for name in SPLIT_NAMES}


def select(name: str, games: Sequence[Game], *, root: Path, layout: Layout) -> tuple[Game, ...]:
    """Games of one split, in the order of its list; `all` selects every game, sorted by id.

    Raises:
        DataError: `splits.yaml` is invalid.
        MissingError: the split is unknown, or one of its games is missing.
    """
    name = split_name(name)
    if name == ALL:
        return tuple(games)
    lists = split_lists(root, layout)
    by_id = {game.id: game for game in games}
    listed = lists.get(name)
    if listed is None or (not any(game in by_id for game in listed) and not (root / SPLITS_FILE).is_file()):
        raise MissingError(_no_such_split(name, games, lists, root))
    absent = [game for game in listed if game not in by_id]
    if absent:
        raise MissingError(_absent_games(name, absent, list(by_id), root))
    return tuple(by_id[game] for game in listed)


def _given_lists(root: Path, layout: Layout) -> dict[str, tuple[str, ...]]:
    match layout:
        case Layout.BALL_HALVES | Layout.BALL_WHOLE:
            return official_lists("spotting-ball")
        case Layout.SOCCERNET_V2:
            return official_lists("spotting")
        case Layout.FOLDER | Layout.FILE:
            return {}
        case Layout.OSL | Layout.E2E_SPOT:
            return listed_splits(root)


def _read_lists(file: Path) -> dict[str, tuple[str, ...]]:
    lists: dict[str, tuple[str, ...]] = {}
    for key, value in read_yaml(file).items():
        name = _ALIASES.get(key, key)
        if name not in SPLIT_NAMES:
            raise DataError(f"{file}: unknown split {key!r}{did_you_mean(key, SPLIT_NAMES)}.")
        if name in lists:
            raise DataError(f"{file} has both valid and val. Keep one of them.")
        lists[name] = tuple(_game_ids(value, source=f"{file}: {key}"))
    return lists


def _game_ids(value: Any, *, source: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise DataError(f"{source} is not a list of game ids. Write one per line, each after a dash.")
    for entry in value:
        if not isinstance(entry, str):
            raise DataError(f"{source}: {entry!r} is not a string. Put the game id in quotes.")
    return [game_id(entry, source=source) for entry in value]


def _require_apart(file: Path, lists: Mapping[str, Sequence[str]]) -> None:
    first: dict[str, str] = {}
    for name, games in lists.items():
        for game in games:
            if game in first:
                raise DataError(
                    f"{file}: {game!r} is listed in {first[game]} and again in {name}, so that training and evaluation "
                    "would share it. List it once, in one split."
                )
            first[game] = name


def _no_such_split(name: str, games: Sequence[Game], lists: Mapping[str, Sequence[str]], root: Path) -> str:
    ids = [game.id for game in games]
    here = [split for split, listed in lists.items() if set(listed) & set(ids)]
    archives = archives_in(root) if root.is_dir() else []
    unpack = f" {listing(archives)} in {root} may contain them; unpack first." if archives else ""
    too_deep = next(
        (game for listed in lists.values() for game in listed if game.endswith(f"/{ids[0]}")), None
    )
    higher = f" Or pass the folder that contains {too_deep.split('/')[0]} with --data." if too_deep else ""
    choose = (
        f" To define your own, create {root / SPLITS_FILE} with lines such as {name}: [{ids[0]!r}]."
        if root.is_dir()
        else ""
    )
    return (
        f"No split {name!r} in {root}. Available: {', '.join([ALL, *here])}.{unpack} The folder has "
        f"{listing(ids, shown=3)}.{choose}{higher}"
    )


def _absent_games(name: str, absent: Sequence[str], ids: Sequence[str], root: Path) -> str:
    near = difflib.get_close_matches(absent[0], ids, 1, cutoff=0.9)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    archives = archives_in(root) if root.is_dir() else []
    unpack = f", or unpack {listing(archives)}" if archives else ""
    return (
        f"Games of the split {name} that are missing in {root} ({len(absent)}): {listing(absent)}.{hint} "
        f"Copy or download them there{unpack}, or remove them from {SPLITS_FILE}."
    )
