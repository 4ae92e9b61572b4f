"""One video outside a dataset, as a match of its own."""

from __future__ import annotations

from pathlib import Path

from bas import console
from bas.dataset import open_dataset, probe
from bas.dataset.layouts import SPOTS
from bas.errors import MissingError
from bas.heads.inference.guards import warn_of_late_start
from bas.types import Game


def require_file(video: Path) -> None:
    """Check that a path names a file, which takes no time.

    Raises:
        MissingError: it does not.
    """
    if not video.is_file():
        kind = "a folder" if video.is_dir() else "a pipe or a device"
        problem = f"{video} is {kind}" if video.exists() else f"Video {video} not found"
        raise MissingError(f"{problem}. Name one video file, or use bas eval for the matches of a split.")


def video_game(video: Path) -> Game:
    """One video as a game of its own, with what is unusual about its times.

    Raises:
        MissingError: there is no such file.
        DataError: it is not a video.
    """
    require_file(video)
    times = probe(video)  # what is no video is refused before anything is written
    warn_of_late_start(times)
    for note in times.notes:
        console.info(f"{video}: {note}")
    (game,) = open_dataset(video).games
    return game


def sidecar_folder(video: Path) -> Path:
    """Folder beside a video for its predictions."""
    return video.with_name(video.name + SPOTS)
