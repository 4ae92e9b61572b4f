"""One game: a name that may become part of a path, and videos that are all there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bas.errors import DataError, MissingError
from bas.types import Game

_MOST_PARTS = 4
# Neither hidden, nor `.` or `..`; no separators, control characters or undecodable bytes.
_PART = re.compile(r"[^./\\\x00-\x1f\x7f\ud800-\udfff][^/\\\x00-\x1f\x7f\ud800-\udfff]*")
_SHOWN = 8
_OTHER_SIZE = {"720p": "224p", "224p": "720p"}


def game_id(text: str, *, source: str) -> str:
    """`text` without a final slash, if it may name a game: up to four plain folder names.

    Args:
        text: from a file name, a list of splits or a predictions file.
        source: where it stands, for the message.

    Raises:
        DataError: it is empty, absolute, leads upwards, or holds what no folder's name should.
    """
    parts = text.removesuffix("/").split("/")
    if len(parts) > _MOST_PARTS or not all(_PART.fullmatch(part) for part in parts):
        raise DataError(
            f"{source}: {text!r} cannot name a game. Wanted up to {_MOST_PARTS} folder names with slashes "
            "between them, none of them hidden, as in england_efl/2019-2020/2019-10-01 - Home - Away."
        )
    return "/".join(parts)


def require_videos(game: Game) -> None:
    """Refuse a game of which a video is missing.

    Raises:
        MissingError: with the names that were expected, those that are there, and what to do.
    """
    missing = [video.path for video in game.videos if not video.path.is_file()]
    if not missing:
        return
    folder = missing[0].parent
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    expected = [video.path.name for video in game.videos]
    raise MissingError(
        f"{game.id}: expected {' and '.join(expected)} in {folder}; the folder holds {listing(there)}. "
        f"{_remedy([path.name for path in missing], there, expected)}"
    )


def listing(names: Sequence[str], *, shown: int = _SHOWN) -> str:
    """Names for a message, the first few of them."""
    if not names:
        return "nothing"
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _remedy(missing: Sequence[str], there: Sequence[str], expected: Sequence[str]) -> str:
    for size, other in _OTHER_SIZE.items():
        if size in expected[0] and {name.replace(size, other) for name in expected} <= set(there):
            return (
                f"To read the {other} videos, pass --set extract.video={other} (bas doctor: --video {other})."
            )
    for name in missing:
        same = [near for near in there if near.casefold() == name.casefold()]
        if same:
            return f"Rename {same[0]} to {name}."
    return f"Download or copy {' and '.join(missing)} into it."
