"""A data folder whose videos are listed in JSON files at its top: OSL JSON v1 or v2, or E2E-Spot JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bas.dataset.containers import VIDEO_SUFFIXES
from bas.dataset.interchange import Listing, listing_of
from bas.errors import DataError
from bas.files import read_json
from bas.types import Game, Video

CLASSES_FILE = "class.txt"
"""E2E-Spot's list of classes, one a line."""

_SPLIT_WORDS = {"train": "train", "valid": "valid", "val": "valid", "test": "test", "challenge": "challenge"}


def listings_in(root: Path) -> dict[Path, Listing]:
    """The files at the top of a folder that list videos; labels beside a video of the same name are none.

    Raises:
        DataError: one of them is broken.
    """
    found = {}
    for path in sorted(root.glob("*.json")):
        if path.name.startswith(".") or any(path.with_suffix(s).is_file() for s in VIDEO_SUFFIXES):
            continue
        try:
            content = read_json(path)
        except DataError:  # of whatever kind it is: it cannot be told
            continue
        listing = listing_of(content, source=str(path))
        if listing is not None:
            found[path] = listing
    return found


def games_of(root: Path, listings: Mapping[Path, Listing]) -> list[Game]:
    """A game for every item; its labels are the whole file, of which `read_labels` takes its part.

    Raises:
        DataError: a path leads out of the folder.
    """
    return [
        Game(item.id, (Video(_video(root, item.path, source=path), 1),), path if item.is_labeled else None)
        for path, listing in listings.items()
        for item in listing.items
    ]


def listed_splits(root: Path) -> dict[str, tuple[str, ...]]:
    """Game ids of every split that a listing is of, by what it says of itself or by its name."""
    splits: dict[str, tuple[str, ...]] = {}
    for path, listing in listings_in(root).items():
        words = [
            *re.split(r"[^a-z]+", (listing.split or "").lower()),
            *re.split(r"[^a-z]+", path.stem.lower()),
        ]
        name = next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), None)
        if name is not None:
            splits[name] = (*splits.get(name, ()), *(item.id for item in listing.items))
    return splits


def listed_classes(root: Path) -> tuple[str, ...]:
    """Every class that the listings name, or that stands in `class.txt`; none where none is named."""
    file = root / CLASSES_FILE
    if file.is_file():
        return tuple(dict.fromkeys(filter(None, map(str.strip, file.read_text().splitlines()))))
    return tuple(dict.fromkeys(name for one in listings_in(root).values() for name in one.classes))


def _video(root: Path, path: str, *, source: Path) -> Path:
    """Where a video lies: E2E-Spot names it without a suffix."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise DataError(
            f"{source}: the path {path!r} leads out of {root}. Put the file into the folder above its videos, with "
            "paths relative to it."
        )
    if pure.suffix:
        return root / pure
    candidates = [root / f"{path}{suffix}" for suffix in sorted(VIDEO_SUFFIXES)]
    return next((candidate for candidate in candidates if candidate.is_file()), root / f"{path}.mp4")
