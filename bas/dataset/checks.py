"""Check of a data folder: its videos, labels, splits and hashes, without decoding a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from bas import console
from bas.dataset.annotations.soccernet import Labels, read_annotations
from bas.dataset.annotations.video_lists import top_level_lists
from bas.dataset.dataset import Dataset, open_dataset
from bas.dataset.games import missing_videos
from bas.dataset.layouts import Layout, VideoSize, archives_in
from bas.dataset.manifest import FileRecord, difference, files_of, missing_files, read_manifest
from bas.dataset.splits import SPLITS_FILE, split_lists
from bas.dataset.video.formats import VIDEO_SUFFIXES
from bas.dataset.video.probe import VideoTimes, probe
from bas.errors import BasError
from bas.messages import counted, listing
from bas.types import Game

_LABELS_ONLY = "labels without videos: enough for bas eval --predictions, but not for training or predicting"
_MODEL_ASPECT = Fraction(16, 9)
_MOST_SQUEEZE = 0.03  # 224 x 128 and PAL's 16:9 with square samples lie within


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a data folder that a user should know."""

    location: str
    """Game, split or file."""
    message: str
    severity: Literal["error", "note"]
    """error: work with it would fail or give wrong results; note: unusual but harmless."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Properties of a readable video."""

    path: Path
    length_ms: int
    fps: Fraction
    width: int
    height: int
    codec: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class GameFacts:
    """Readable properties of a game."""

    id: str
    splits: tuple[str, ...]
    videos: tuple[VideoFacts, ...]
    counts: Counter[str] | None
    """Number of spots of each class; None without readable labels."""


@dataclass(frozen=True, slots=True)
class FolderReport:
    """Contents of a data folder, what it should contain, and all findings."""

    dataset: Dataset
    games: tuple[GameFacts, ...]
    splits: Mapping[str, tuple[str, ...]]
    """Game ids listed by each split."""
    findings: tuple[Finding, ...]


def examine(root: Path, *, video: VideoSize | None = None) -> FolderReport:
    """Check all matches of a data folder and collect what is wrong, without stopping at errors.

    Args:
        root: folder of matches, or one video.
        video: which of a SoccerNet game's video files to check; by default 720p, or 224p if no game has
            any 720p video.

    Raises:
        MissingError: `root` does not exist or holds no match.
        DataError: layouts are mixed, the matches lie in the wrong folder, or `splits.yaml` is invalid.
    """
    dataset = _open(root, video)
    splits = split_lists(root, dataset.layout)
    manifest = read_manifest(root)
    findings = [*_check_folder(dataset, splits, manifest), *_check_lists(dataset)]
    if not (has_videos := _has_videos(dataset)):
        findings.append(Finding(str(root), _LABELS_ONLY, severity="note"))
    by_split = {name: frozenset(ids) for name, ids in splits.items()}
    games = []
    with console.progress(f"examining {root}", len(dataset.games), unit="games") as advance:
        for game in dataset.games:
            check = _GameCheck(dataset, game, manifest)
            listed = tuple(name for name, ids in by_split.items() if game.id in ids)
            games.append(check.run(splits=listed, with_videos=has_videos))
            findings += check.findings
            advance(note=game.id)
    return FolderReport(dataset, tuple(games), splits, tuple(findings))


class _GameCheck:
    """Check of one game; errors are recorded as findings, and the check continues."""

    def __init__(self, dataset: Dataset, game: Game, manifest: Mapping[str, FileRecord]) -> None:
        self.findings: list[Finding] = []
        self._dataset, self._game, self._manifest = dataset, game, manifest

    def run(self, *, splits: tuple[str, ...], with_videos: bool) -> GameFacts:
        """Check everything about the game, and return its readable properties.

        Args:
            splits: names of the splits that list the game.
            with_videos: whether the game should have its videos.
        """
        if with_videos and (text := missing_videos(self._game)):
            self._error(text)
        probed = {v.half: times for v in self._game.videos if (times := self._times(v.path))}
        labels = self._labels({half: times.length_ms for half, times in probed.items()})
        for path in files_of(self._game):
            self._compare(path)
        videos = tuple(_facts(times) for times in probed.values())
        return GameFacts(self._game.id, splits, videos, labels.counts if labels else None)

    def _compare(self, path: Path) -> None:
        try:
            text = difference(self._dataset.root, path, self._manifest, hashes=True)
        except PermissionError:  # reported already by the probe or the reader of labels
            return
        if text:
            self._error(f"{text}; copy or download it again")

    def _times(self, path: Path) -> VideoTimes | None:
        if not path.is_file():
            return None
        try:
            times = probe(path)
        except BasError as error:
            self._error(error)
            return None
        for problem in times.problems:
            self._error(f"{path.name}: {problem.text}")
        for note in (*times.notes, *_squeeze(times)):
            self._note(f"{path.name}: {note}")
        return times

    def _labels(self, video_ms: Mapping[int, int]) -> Labels | None:
        if self._game.labels is None:
            self._note("no labels; it can be used for prediction, but not for training or scoring")
            return None
        halves = {video.half for video in self._game.videos}
        try:
            labels = read_annotations(
                self._game.labels,
                classes=self._dataset.classes,
                halves=halves,
                video_ms=video_ms,
                game=self._game.id,
            )
        except BasError as error:
            self._error(error)
            return None
        for warning in labels.warnings:
            self._note(warning)
        if labels.team_words == "home/away":
            self._note(
                "teams are home and away; predicting teams needs left and right, as in the 2025 edition"
            )
        if not labels.spots:
            self._note(f"{self._game.labels.name} contains no action")
        return labels

    def _error(self, message: BasError | str) -> None:
        self.findings.append(Finding(self._game.id, str(message), severity="error"))

    def _note(self, message: str) -> None:
        self.findings.append(Finding(self._game.id, message, severity="note"))


def _open(root: Path, video: VideoSize | None) -> Dataset:
    dataset = open_dataset(root, video=video or "720p")
    if video is None and not any(v.path.is_file() for game in dataset.games for v in game.videos):
        small = open_dataset(root, video="224p")
        if any(v.path.is_file() for game in small.games for v in game.videos):
            return small
    return dataset


def _check_folder(
    dataset: Dataset, splits: Mapping[str, tuple[str, ...]], manifest: Mapping[str, FileRecord]
) -> Iterator[Finding]:
    root, here = dataset.root, {game.id for game in dataset.games}
    own = (root / SPLITS_FILE).is_file()
    for name, listed in splits.items():
        absent = [game for game in listed if game not in here]
        if absent and (own or len(absent) < len(listed)):
            message = f"missing {len(absent)} of {counted(len(listed), 'match')}: {listing(absent)}"
            yield Finding(f"split {name}", message, severity="error" if own else "note")
    unlisted = sorted(here - {game for listed in splits.values() for game in listed})
    if unlisted and splits:
        yield Finding(
            "splits", f"matches in no split ({len(unlisted)}): {listing(unlisted)}", severity="note"
        )
    if root.is_dir() and (archives := archives_in(root)):
        yield Finding(
            str(root), f"{listing(archives)} may contain more matches; unpack first", severity="note"
        )
    missing = missing_files(root, manifest)
    if missing:
        message = f"listed files that are missing ({len(missing)}): {listing(missing)}"
        yield Finding("manifest", message, severity="error")


def _has_videos(dataset: Dataset) -> bool:
    """Whether any game's folder holds a video, even one with an unexpected name."""
    folders = {video.path.parent for game in dataset.games for video in game.videos}
    names = (path.suffix.lower() for folder in folders if folder.is_dir() for path in folder.iterdir())
    return any(suffix in VIDEO_SUFFIXES for suffix in names)


def _check_lists(dataset: Dataset) -> Iterator[Finding]:
    """Findings about JSON files at the top that might be lists of videos, but were passed over."""
    if dataset.layout is not Layout.FOLDER:  # the other layouts read all of them, or none
        return
    found = top_level_lists(dataset.root)
    for path, error in found.damaged.items():
        yield Finding(str(path), str(error), severity="error")
    for path in found.others:
        yield Finding(str(path), f"{path} is named after a split, but lists no videos", severity="note")


def _squeeze(times: VideoTimes) -> Iterator[str]:
    columns, rows = times.shown_size
    aspect = Fraction(columns, rows)
    if abs(aspect / _MODEL_ASPECT - 1) > _MOST_SQUEEZE:
        # 768 x 576 is 4:3, 1440 x 1079 still is: the nearest ratio of small numbers is the one people know.
        known = aspect.limit_denominator(16)
        yield (
            f"pictures are shown as {columns} x {rows} ({known.numerator}:{known.denominator}); models see them "
            "squeezed into 16:9"
        )


def _facts(times: VideoTimes) -> VideoFacts:
    size = times.path.stat().st_size
    return VideoFacts(times.path, times.length_ms, times.fps, times.width, times.height, times.codec, size)
