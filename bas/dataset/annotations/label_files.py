"""Label files, parsed once for as long as they do not change: a list of videos holds the labels of many games."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bas.dataset.annotations.osl_and_e2e_spot import VideoList, parse_video_list, soccernet_documents
from bas.errors import MissingError
from bas.files import read_json

_KEPT = 8  # a folder has a list per split


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Content of a JSON file that may hold labels."""

    content: Any
    """The parsed JSON; None for a list of videos."""
    videos: VideoList | None
    """The list of videos; None for a file of another kind."""
    documents: Mapping[str, Mapping[str, Any]]
    """Content of each listed game in SoccerNet's form; empty for a file of another kind."""


def read_label_file(path: Path) -> LabelFile:
    """Read a file of labels, or of anything else in JSON.

    Raises:
        MissingError: it does not exist.
        DataError: it is not strict JSON, or an invalid list of videos.
    """
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist.") from error
    return _read(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=_KEPT)
def _read(path: Path, identity: tuple[int, ...]) -> LabelFile:
    content = read_json(path)
    videos = parse_video_list(content, source=str(path))
    if videos is None:
        return LabelFile(content, None, {})
    return LabelFile(None, videos, soccernet_documents(videos, source=str(path)))
