"""Data folders whose videos are listed in JSON files at the top level: OSL JSON v1 or v2, or E2E-Spot JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bas.dataset.annotations.interchange import VideoList, parse_video_list
from bas.dataset.video.containers import VIDEO_SUFFIXES
from bas.errors import DataError
from bas.files import read_json
from bas.types import Game, Video

CLASSES_FILE = "class.txt"
"""File with E2E-Spot's list of classes, one per line."""

_SPLIT_WORDS = {"train": "train", "valid": "valid", "val": "valid", "test": "test", "challenge": "challenge"}


def video_lists_in(root: Path) -> dict[Path, VideoList]:
    """Find the JSON files at the top level of a folder that list videos; label files of single videos are skipped.

    Raises:
        DataError: a list of videos is invalid.
    """
    found = {}
    for path in sorted(root.glob("*.json")):
        if path.name.startswith(".") or any(path.with_suffix(s).is_file() for s in VIDEO_SUFFIXES):
            continue
        try:
            content = read_json(path)
        except DataError:  # not JSON, so there is no telling whether it was meant as a list of videos
            continue
        listing = parse_video_list(content, source=str(path))
        if listing is not None:
            found[path] = listing
    return found


def games_of(root: Path, lists: Mapping[Path, VideoList]) -> list[Game]:
    """One game per listed video; its label file is the whole list, from which `read_annotations` picks the game.

    Raises:
        DataError: the path of a video leads out of the folder.
    """
    return [
        Game(item.id, (Video(_video(root, item.path, source=path), 1),), path if item.is_labeled else None)
        for path, listing in lists.items()
        for item in listing.items
    ]


def listed_splits(root: Path) -> dict[str, tuple[str, ...]]:
    """Game ids of each split, taken from the split declared in each list, or else from the file name."""
    splits: dict[str, tuple[str, ...]] = {}
    for path, listing in video_lists_in(root).items():
        words = [
            *re.split(r"[^a-z]+", (listing.split or "").lower()),
            *re.split(r"[^a-z]+", path.stem.lower()),
        ]
        name = next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), None)
        if name is not None:
            splits[name] = (*splits.get(name, ()), *(item.id for item in listing.items))
    return splits


def listed_classes(root: Path) -> tuple[str, ...]:
    """Classes in `class.txt`, or else those declared in the lists; empty if there are none."""
    file = root / CLASSES_FILE
    if file.is_file():
        return tuple(dict.fromkeys(filter(None, map(str.strip, file.read_text().splitlines()))))
    return tuple(dict.fromkeys(name for one in video_lists_in(root).values() for name in one.classes))


def _video(root: Path, path: str, *, source: Path) -> Path:
    """Path of a listed video; E2E-Spot lists it without a suffix."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise DataError(
            f"{source}: the path {path!r} leads out of {root}. Place the file in the folder above its videos, with "
            "paths relative to that folder."
        )
    if pure.suffix:
        return root / pure
    candidates = [root / f"{path}{suffix}" for suffix in sorted(VIDEO_SUFFIXES)]
    return next((candidate for candidate in candidates if candidate.is_file()), root / f"{path}.mp4")
