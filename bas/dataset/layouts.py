"""Folder layouts of matches, recognized from the files themselves and never from a setting."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, assert_never

from bas.dataset.annotations.osl_and_e2e_spot import VideoList
from bas.dataset.annotations.video_lists import games_of, video_lists_in
from bas.dataset.games import game_id
from bas.dataset.names import NamesOnDisk
from bas.dataset.video.formats import UNTIMED_SUFFIXES, VIDEO_SUFFIXES
from bas.errors import DataError, MissingError
from bas.files import read_json
from bas.messages import listing, not_existing
from bas.types import Game, Video

VideoSize = Literal["720p", "224p"]

_BALL_LEAGUE = "england_efl"
_V2_LEAGUES = (
    "england_epl",
    "europe_uefa-champions-league",
    "france_ligue-1",
    "germany_bundesliga",
    "italy_serie-a",
    "spain_laliga",
)
LEAGUES = (_BALL_LEAGUE, *_V2_LEAGUES)
"""First folders of SoccerNet's games."""

_BALL_LABELS, _V2_LABELS = "Labels-ball.json", "Labels-v2.json"
_HALF = re.compile(r"[12]_(224p|720p|hq)\.\w+", re.IGNORECASE)
_WHOLE = re.compile(r"(224p|720p)\.\w+", re.IGNORECASE)
SPOTS = ".spots"
"""Suffix of the folder beside a video for features, events and rendered copies; such folders are not matches."""
_ARCHIVES = (".zip", ".7z")
_DEEPEST = 6  # folders below the root: up to four of a game, and two more to recognize misplaced games
_EXPECTED = (
    "Expected SoccerNet's <league>/<season>/<game>/ with labels and 720p.mp4, or 1_720p.mkv and 2_720p.mkv; or videos "
    "below an OSL JSON or E2E-Spot JSON file; or a folder of videos of any name; or one video."
)


class Layout(Enum):
    """Layout of matches on disk."""

    BALL_HALVES = "SN-BAS 2023, two videos a match"
    BALL_WHOLE = "SN-BAS 2024 and 2025, one video a match"
    SOCCERNET_V2 = "SoccerNet-v2, two videos a match"
    OSL = "videos listed in OSL JSON"
    E2E_SPOT = "videos listed in E2E-Spot JSON"
    FOLDER = "a folder of videos"
    FILE = "one video"


@dataclass(frozen=True, slots=True)
class RecognizedLayout:
    """Layout and games of a data folder."""

    layout: Layout
    games: tuple[Game, ...]
    """Games sorted by id, each with the videos that it should have, whether they exist or not."""


def recognize_layout(root: Path, *, video: VideoSize) -> RecognizedLayout:
    """Recognize the layout of a folder or a single video file, and list its games.

    Args:
        root: folder or video.
        video: which of a SoccerNet game's video files to use.

    Raises:
        MissingError: `root` does not exist or holds no game.
        DataError: layouts are mixed, or the games lie in the wrong folder.
    """
    if root.is_file():
        return RecognizedLayout(Layout.FILE, (_bare_game(root, NamesOnDisk(), stem=root.stem),))
    if not root.is_dir():
        raise MissingError(
            f"{not_existing(root)} Pass the folder of the matches: --data FOLDER, `bas doctor FOLDER`, or BAS_DATA."
        )
    folders = list(_folders(root))
    if not any((folder.path / name).is_file() for folder in folders for name in (_BALL_LABELS, _V2_LABELS)):
        lists = video_lists_in(root)
        if lists:
            return _listed(root, lists)
    if not folders:
        raise MissingError(_nothing_found(root))
    _require_in_place(root, folders)
    layout = _only_layout(root, folders)
    if layout is Layout.FOLDER:
        names = NamesOnDisk()
        stems = {path: path.relative_to(root).with_suffix("") for folder in folders for path in folder.videos}
        games = [_bare_game(path, names, stem=stem.as_posix()) for path, stem in stems.items()]
        _require_unique(root, games)
    else:
        games = [_soccernet_game(root, folder.path, layout, video) for folder in folders]
    return RecognizedLayout(layout, tuple(sorted(games, key=lambda game: game.id)))


def labels_name(layout: Layout) -> str:
    """Name of a game's label file; <stem> stands for the stem of a video with any name."""
    match layout:
        case Layout.BALL_HALVES | Layout.BALL_WHOLE:
            return _BALL_LABELS
        case Layout.SOCCERNET_V2:
            return _V2_LABELS
        case Layout.OSL | Layout.E2E_SPOT:
            return "train.json, valid.json, test.json ... at the top"
        case Layout.FOLDER | Layout.FILE:
            return "<stem>.json"
        case _:
            assert_never(layout)


def archives_in(root: Path) -> list[str]:
    """Names of the archives in a folder."""
    return sorted(path.name for path in root.iterdir() if path.suffix.lower() in _ARCHIVES)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that holds videos or labels."""

    path: Path
    videos: tuple[Path, ...]
    layouts: frozenset[Layout]
    """Layouts that its file names match; several if the folder mixes them."""


def _listed(root: Path, lists: Mapping[Path, VideoList]) -> RecognizedLayout:
    forms = {one.form for one in lists.values()}
    if len(forms) > 1:
        raise DataError(
            f"{root} mixes {' and '.join(sorted(forms))}: {listing(sorted(p.name for p in lists))}. "
            "Keep lists of one format only."
        )
    games = games_of(root, lists)
    _require_unique(root, games)
    layout = Layout.OSL if forms == {"OSL JSON"} else Layout.E2E_SPOT
    return RecognizedLayout(layout, tuple(sorted(games, key=lambda game: game.id)))


def _folders(root: Path) -> Iterator[_Folder]:
    seen: set[Path] = set()
    for where, folders, names in os.walk(root, followlinks=True):
        path = Path(where)
        if path.resolve() in seen:  # reached before, by a symbolic link
            folders.clear()
            continue
        seen.add(path.resolve())
        depth = len(path.relative_to(root).parts)
        matches = sorted(f for f in folders if not f.startswith((".", "__MACOSX")) and not f.endswith(SPOTS))
        folders[:] = matches if depth < _DEEPEST else []
        shown = sorted(name for name in names if not name.startswith("."))
        videos = _videos_in(shown)
        layouts = frozenset(_layouts(path, shown, videos))
        if layouts:
            yield _Folder(path, tuple(path / name for name in videos), layouts)


def _videos_in(names: Sequence[str]) -> list[str]:
    """Names of videos; one without times is among them, to be refused by name, unless it has been converted."""
    timed = [name for name in names if Path(name).suffix.lower() in VIDEO_SUFFIXES]
    stems = {Path(name).stem for name in timed}
    untimed = (name for name in names if Path(name).suffix.lower() in UNTIMED_SUFFIXES)
    return sorted((*timed, *(name for name in untimed if Path(name).stem not in stems)))


def _layouts(path: Path, names: Sequence[str], videos: Sequence[str]) -> Iterator[Layout]:
    halves = any(_HALF.fullmatch(name) for name in videos)
    whole = any(_WHOLE.fullmatch(name) for name in videos)
    if whole:
        yield Layout.BALL_WHOLE
    if halves:
        unlabeled_v2 = _BALL_LABELS not in names and any(
            league in path.absolute().parts for league in _V2_LEAGUES
        )
        yield Layout.SOCCERNET_V2 if _V2_LABELS in names or unlabeled_v2 else Layout.BALL_HALVES
    if halves or whole:
        return
    if _BALL_LABELS in names:
        yield Layout.BALL_HALVES if _has_second_half(path / _BALL_LABELS) else Layout.BALL_WHOLE
    elif _V2_LABELS in names:
        yield Layout.SOCCERNET_V2
    elif videos:
        yield Layout.FOLDER


def _has_second_half(labels: Path) -> bool:
    """Whether a label file without videos has spots of a second half; invalid files are reported when they are read."""
    try:
        annotations = read_json(labels)["annotations"]
        return any(str(entry["gameTime"]).startswith("2") for entry in annotations)
    except (DataError, LookupError, TypeError):
        return False


def _only_layout(root: Path, folders: Sequence[_Folder]) -> Layout:
    counts = Counter(layout for folder in folders for layout in folder.layouts)
    if len(counts) == 1:
        return next(iter(counts))
    for folder in folders:  # a damaged file may be all that makes its folder another layout
        if (labels := folder.path / _BALL_LABELS).is_file():
            read_json(labels)
    examples = []
    for layout, count in counts.items():
        example = next(folder for folder in folders if layout in folder.layouts)
        examples.append(
            f"  {layout.value}: {count:,} folders, such as {example.path} with {listing(_names(example))}"
        )
    raise DataError(
        f"{root} mixes {len(counts)} layouts:\n"
        + "\n".join(examples)
        + f"\n{_EXPECTED} Keep one layout per folder: move the others to folders of their own, "
        "and choose one with --data."
    )


def _names(folder: _Folder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir() if path.is_file())


def _require_in_place(root: Path, folders: Sequence[_Folder]) -> None:
    """Refuse games whose league is not a top-level folder, for example after `unzip` into `train/`."""
    misplaced = []
    for folder in folders:
        parts = folder.path.relative_to(root).parts
        league = next((i for i, part in enumerate(parts) if part in LEAGUES), 0)
        if league > 0:
            misplaced.append(root.joinpath(*parts[:league]))
    tops = sorted({str(top) for top in misplaced})
    if not tops:
        return
    remedy = f"Pass --data {tops[0]!r}" if len(misplaced) == len(folders) and len(tops) == 1 else ""
    unpack = f"move the league folders in {listing(tops)} up into {root} and merge them (unzip train.zip -d {root})"
    raise DataError(
        f"{root}: {len(misplaced):,} matches are nested too deep, below {listing(tops)} instead of {root} itself. "
        + (f"{remedy}, or {unpack}." if remedy else f"{unpack[0].upper()}{unpack[1:]}.")
    )


def _nothing_found(root: Path) -> str:
    archives = archives_in(root)
    if archives:
        return (
            f"{root} has only archives: {listing(archives)}. Unpack them all into {root} itself, for example with "
            f"`unzip {archives[0]} -d {root}` (`7z x` for the password-protected ones of 2025), or let "
            "`bas download` fetch and unpack them."
        )
    names = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
    found = f", only {listing(names)}" if names else ": it is empty"
    return f"{root} holds no match{found}. {_EXPECTED}"


def _soccernet_game(root: Path, folder: Path, layout: Layout, video: VideoSize) -> Game:
    names = (f"{video}.mp4",) if layout is Layout.BALL_WHOLE else (f"1_{video}.mkv", f"2_{video}.mkv")
    below = folder.relative_to(root).as_posix()
    labels = folder / labels_name(layout)
    return Game(
        id=game_id(folder.resolve().name if below == "." else below, source=str(folder)),
        videos=tuple(Video(folder / name, half) for half, name in enumerate(names, 1)),
        labels=labels if labels.is_file() else None,
    )


def _bare_game(path: Path, names: NamesOnDisk, *, stem: str) -> Game:
    labels = names.find(path.with_suffix(".json"), below=path.parent)
    return Game(game_id(stem, source=str(path)), (Video(path, 1),), labels if labels.is_file() else None)


def _require_unique(root: Path, games: Sequence[Game]) -> None:
    counts = Counter(game.id for game in games)
    twice = [str(video.path) for game in games if counts[game.id] > 1 for video in game.videos]
    if twice:
        raise DataError(
            f"{root}: {listing(sorted(twice))} would have the same game id. Rename or remove one of each."
        )
