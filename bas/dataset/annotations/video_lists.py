"""Data folders whose videos are listed in JSON files at the top level: OSL JSON v1 or v2, or E2E-Spot JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bas.dataset.annotations.label_files import read_label_file
from bas.dataset.annotations.osl_and_e2e_spot import VideoList
from bas.dataset.names import NamesOnDisk
from bas.dataset.video.formats import UNTIMED_SUFFIXES, VIDEO_SUFFIXES
from bas.errors import DataError
from bas.types import Game, Video

CLASSES_FILE = "class.txt"
"""File with the classes of a data folder, one per line, as E2E-Spot has it."""

_SPLIT_WORDS = {"train": "train", "valid": "valid", "val": "valid", "test": "test", "challenge": "challenge"}


@dataclass(frozen=True, slots=True)
class TopLevelLists:
    """What the JSON files at the top level of a data folder hold, without those beside a video."""

    lists: Mapping[Path, VideoList]
    damaged: Mapping[Path, DataError]
    """Files that are no valid JSON, or invalid lists of videos."""
    others: tuple[Path, ...]
    """Files of another kind that are named after a split."""


def top_level_lists(root: Path) -> TopLevelLists:
    """Read the JSON files at the top level of a folder, without stopping at those that are damaged."""
    lists: dict[Path, VideoList] = {}
    damaged: dict[Path, DataError] = {}
    others = []
    for path in sorted(root.glob("*.json")):
        if path.name.startswith(".") or any(path.with_suffix(s).is_file() for s in VIDEO_SUFFIXES):
            continue
        try:
            file = read_label_file(path)
        except DataError as error:
            damaged[path] = error
            continue
        if file.videos is not None:
            lists[path] = file.videos
        elif _split_of(path.stem) and file.content != []:  # an empty list is a split without videos
            others.append(path)
    return TopLevelLists(lists, damaged, tuple(others))


def video_lists_in(root: Path) -> dict[Path, VideoList]:
    """Find the JSON files at the top level of a folder that list videos; label files of single videos are skipped.

    Raises:
        DataError: a file that is named after a split, or lies beside lists of videos, is damaged; or one whose
            whole name is a split, such as train.json, does not list videos.
    """
    found = top_level_lists(root)
    for path, error in found.damaged.items():
        # Alone and with another name, it may belong to some other program; `bas doctor` reports it.
        if found.lists or _split_of(path.stem):
            raise error
    for path in found.others:
        if path.stem.lower() in _SPLIT_WORDS:
            raise DataError(
                f"{path} does not list videos. Expected OSL JSON or E2E-Spot JSON; otherwise rename it."
            )
    return dict(found.lists)


def games_of(root: Path, lists: Mapping[Path, VideoList]) -> list[Game]:
    """One game per listed video; its label file is the whole list, from which `read_annotations` picks the game.

    Raises:
        DataError: the path of a video leads out of the folder.
    """
    names = NamesOnDisk()
    return [
        Game(
            item.id,
            (Video(_video(root, item.path, names, source=path), 1),),
            path if item.is_labeled else None,
        )
        for path, listing in lists.items()
        for item in listing.items
    ]


def listed_splits(root: Path) -> dict[str, tuple[str, ...]]:
    """Game ids of each split, taken from the split declared in each list, or else from the file name."""
    splits: dict[str, tuple[str, ...]] = {}
    for path, listing in video_lists_in(root).items():
        name = _split_of(listing.split or "") or _split_of(path.stem)
        if name is not None:
            splits[name] = (*splits.get(name, ()), *(item.id for item in listing.items))
    return splits


def declared_classes(labels: Path) -> tuple[str, ...]:
    """Classes that a data folder or a single list declares; empty if it declares none.

    They stand in `class.txt` at the top of the folder, or else in the lists of videos.

    Raises:
        DataError: `class.txt` is not text, or a list of videos is invalid.
    """
    root = labels if labels.is_dir() else labels.parent
    file = root / CLASSES_FILE
    if file.is_file():
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{file} is not text in UTF-8: {error}. Write one class per line.") from error
        if own := tuple(dict.fromkeys(filter(None, map(str.strip, lines)))):
            return own
    if labels.is_dir():
        lists = list(video_lists_in(labels).values())
    else:
        one = read_label_file(labels).videos if labels.suffix.lower() == ".json" else None
        lists = [] if one is None else [one]
    return tuple(dict.fromkeys(name for one in lists for name in one.classes))


def _split_of(words: str) -> str | None:
    """Name of the split that some words name; None if they name none."""
    return next(
        (_SPLIT_WORDS[word] for word in re.split(r"[^a-z]+", words.lower()) if word in _SPLIT_WORDS), None
    )


def _video(root: Path, path: str, names: NamesOnDisk, *, source: Path) -> Path:
    """Path of a listed video; E2E-Spot lists it without a suffix, and a name may have a dot all the same."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise DataError(
            f"{source}: the path {path!r} leads out of {root}. Place the file in the folder above its videos, with "
            "paths relative to that folder."
        )
    if pure.suffix.lower() in VIDEO_SUFFIXES | UNTIMED_SUFFIXES:
        return names.find(root / pure, below=root)
    candidates = [names.find(root / f"{path}{suffix}", below=root) for suffix in sorted(VIDEO_SUFFIXES)]
    return next((candidate for candidate in candidates if candidate.is_file()), root / f"{path}.mp4")
