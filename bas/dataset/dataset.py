"""Matches of a data folder or a single video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from bas.dataset.annotations.label_files import read_label_file
from bas.dataset.annotations.video_lists import declared_classes
from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.dataset.games import require_videos
from bas.dataset.layouts import Layout, RecognizedLayout, VideoSize, recognize_layout
from bas.dataset.manifest import require_sizes
from bas.dataset.splits import select
from bas.errors import DataError, MissingError
from bas.types import Game


@dataclass(frozen=True, slots=True)
class Dataset:
    """All matches of a data folder, and the classes of its labels."""

    root: Path
    layout: Layout
    games: tuple[Game, ...]
    """All games found, without a check that their videos exist; `split` returns checked games."""
    classes: tuple[str, ...]
    """Label classes, in their official order."""

    def split(self, name: str, *, need_videos: bool = True) -> tuple[Game, ...]:
        """Games of a split.

        Args:
            name: train, valid (or val), test, challenge, or all for every game.
            need_videos: refuse games whose videos are missing or differ in size from the manifest.

        Raises:
            MissingError: the split is unknown, or one of its games or videos is missing.
            DataError: `splits.yaml` is invalid, or a file differs from the manifest.
        """
        games = select(name, self.games, root=self.root, layout=self.layout)
        if need_videos:
            _require_whole(games)
            require_sizes(self.root, games)
        return games


def open_dataset(root: Path, *, video: VideoSize = "720p") -> Dataset:
    """Open a SoccerNet folder, a folder of videos, or a single video file.

    Args:
        root: folder or video.
        video: which of a SoccerNet game's video files to use.

    Raises:
        MissingError: `root` does not exist or holds no match.
        DataError: layouts are mixed, or the matches lie in the wrong folder.
    """
    found = recognize_layout(root, video=video)
    return Dataset(root, found.layout, found.games, _classes(root, found))


def _require_whole(games: tuple[Game, ...]) -> None:
    """Raise one error that lists all incomplete games."""
    messages = []
    for game in games:
        try:
            require_videos(game)
        except MissingError as error:
            messages.append(str(error))
    if messages:
        count = f"{len(messages)} of {len(games)} matches are incomplete.\n" if len(messages) > 1 else ""
        raise MissingError(count + "\n".join(messages))


def _classes(root: Path, found: RecognizedLayout) -> tuple[str, ...]:
    match found.layout:
        case Layout.BALL_HALVES:
            return BALL_CLASSES_2023
        case Layout.BALL_WHOLE:
            return BALL_CLASSES
        case Layout.SOCCERNET_V2:
            return SOCCERNET_V2_CLASSES
        case Layout.OSL | Layout.E2E_SPOT | Layout.FOLDER | Layout.FILE:
            return declared_classes(root) or _classes_of_labels(found.games)
        case _:
            assert_never(found.layout)


def _classes_of_labels(games: tuple[Game, ...]) -> tuple[str, ...]:
    """SoccerNet-v2's classes if most labels are theirs, else ball actions; unknown labels are reported when they are read."""
    ball = v2 = 0
    for path in {game.labels for game in games if game.labels}:
        labels = _labels_in(path)
        ball += sum(label in BALL_CLASSES for label in labels)
        v2 += sum(label in SOCCERNET_V2_CLASSES for label in labels)
    return SOCCERNET_V2_CLASSES if v2 > ball else BALL_CLASSES


def _labels_in(path: Path) -> list[str]:
    """Labels of a file; none of one that is damaged, which every reader of its labels reports."""
    try:
        file = read_label_file(path)
        documents = file.documents or {"": file.content}
        return [str(entry["label"]) for one in documents.values() for entry in one["annotations"]]
    except (DataError, LookupError, TypeError):
        return []
