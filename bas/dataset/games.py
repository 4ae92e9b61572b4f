"""Checks of a single game: an id that is safe in paths, and videos that exist."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bas.dataset.names import composed
from bas.errors import DataError, MissingError
from bas.messages import listing
from bas.types import Game

_MOST_PARTS = 4

# Not hidden, not `.` or `..`, and without separators, control characters or undecodable bytes.
_PART = re.compile(r"[^./\\\x00-\x1f\x7f\ud800-\udfff][^/\\\x00-\x1f\x7f\ud800-\udfff]*")

_OTHER_SIZE = {"720p": "224p", "224p": "720p"}


def game_id(text: str, *, source: str) -> str:
    """Validate a game id, up to four plain folder names; strip a final slash and compose accents.

    Args:
        text: from a file name, a list of splits or a predictions file.
        source: origin of `text`, for the message.

    Raises:
        DataError: `text` is empty, absolute, leads upwards, or contains characters unfit for folder names.
    """
    parts = composed(text).removesuffix("/").split("/")
    if len(parts) > _MOST_PARTS or not all(_PART.fullmatch(part) for part in parts):
        raise DataError(
            f"{source}: invalid game id {text!r}. Expected up to {_MOST_PARTS} folder names separated by slashes, "
            "none of them hidden, such as england_efl/2019-2020/2019-10-01 - Home - Away."
        )
    return "/".join(parts)


def require_videos(game: Game) -> None:
    """Check that all videos of a game exist.

    Raises:
        MissingError: names the expected files, the existing ones, and the remedy.
    """
    if text := _missing_videos(game, place=f" in {game.videos[0].path.parent}"):
        raise MissingError(f"{game.id}: {text}")


def missing_videos(game: Game) -> str:
    """What a game lacks, in words that are the same for all games that lack the same; empty if it is complete."""
    return _missing_videos(game, place="")


def _missing_videos(game: Game, *, place: str) -> str:
    missing = [video.path for video in game.videos if not video.path.is_file()]
    if not missing:
        return ""
    folder = missing[0].parent
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    expected = [video.path.name for video in game.videos]
    return (
        f"expected {' and '.join(expected)}{place}; the folder contains {listing(there)}. "
        f"{_remedy([path.name for path in missing], there, expected)}"
    )


def _remedy(missing: Sequence[str], there: Sequence[str], expected: Sequence[str]) -> str:
    for size, other in _OTHER_SIZE.items():
        if size in expected[0] and {name.replace(size, other) for name in expected} <= set(there):
            tiny = ", or --preset tiny for a small encoder without a download" if other == "224p" else ""
            return (
                f"To use the {other} videos, pass --preset {other}{tiny}, to bas extract or bas fit-head "
                f"(bas doctor: --video {other})."
            )
    for name in missing:
        same = [near for near in there if near.casefold() == name.casefold()]
        if same:
            return f"Rename {same[0]} to {name}."
    return f"Download or copy {' and '.join(missing)} into it."
