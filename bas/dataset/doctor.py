"""What is wrong with a data folder: every video, label, split and hash looked at, no picture decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bas import console
from bas.dataset.dataset import Dataset, open_dataset
from bas.dataset.games import listing, require_videos
from bas.dataset.labels import Labels, read_labels
from bas.dataset.layouts import VideoSize, archives_in
from bas.dataset.manifest import Entry, difference, files_of, read_manifest
from bas.dataset.splits import SPLITS_FILE, split_lists
from bas.dataset.times import VideoTimes, probe
from bas.errors import BasError
from bas.types import Game


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something that a user should know of."""

    where: str
    what: str
    wrong: bool
    """Whether work on it would fail or mislead, as against being merely unusual."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """One video that could be read."""

    path: Path
    length_ms: int
    fps: Fraction
    width: int
    height: int
    codec: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class GameFacts:
    """One game: what could be read of it."""

    id: str
    splits: tuple[str, ...]
    videos: tuple[VideoFacts, ...]
    counts: Counter[str] | None
    """Spots of each class; None without readable labels."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a data folder holds, what it should hold, and everything suspicious."""

    dataset: Dataset
    games: tuple[GameFacts, ...]
    splits: Mapping[str, tuple[str, ...]]
    """Ids that each split lists."""
    suspicions: tuple[Suspicion, ...]


def examine(root: Path, *, video: VideoSize | None = None) -> Findings:
    """Look at everything at `root`, and go on past whatever is wrong.

    Args:
        root: folder of matches, or one video.
        video: which of a SoccerNet game's video files to look at; by default 720p, or 224p where
            no game has another.

    Raises:
        MissingError: nothing is there, or no match.
        DataError: layouts are mixed, the matches lie in the wrong folder, or `splits.yaml` is wrong.
    """
    dataset = _open(root, video)
    splits = split_lists(root, dataset.layout)
    manifest = read_manifest(root)
    suspicions = [*_of_folder(dataset, splits, manifest)]
    games = []
    with console.progress(f"examining {root}", len(dataset.games), unit="games") as advance:
        for game in dataset.games:
            looked = _Look(dataset, game, manifest)
            listed = tuple(name for name, ids in splits.items() if game.id in ids)
            games.append(looked.facts(splits=listed))
            suspicions += looked.suspicions
            advance(note=game.id)
    return Findings(dataset, tuple(games), splits, tuple(suspicions))


class _Look:
    """One game being looked at; whatever is wrong is noted, and the look goes on."""

    def __init__(self, dataset: Dataset, game: Game, manifest: Mapping[str, Entry]) -> None:
        self.suspicions: list[Suspicion] = []
        self._dataset, self._game, self._manifest = dataset, game, manifest

    def facts(self, *, splits: tuple[str, ...]) -> GameFacts:
        """Everything there is to know of the game."""
        try:
            require_videos(self._game)
        except BasError as error:
            self._wrong(error)
        probed = {v.half: times for v in self._game.videos if (times := self._times(v.path))}
        labels = self._labels({half: times.length_ms for half, times in probed.items()})
        for path in files_of(self._game):
            self._compare(path)
        videos = tuple(_facts(times) for times in probed.values())
        return GameFacts(self._game.id, splits, videos, labels.counts if labels else None)

    def _compare(self, path: Path) -> None:
        try:
            text = difference(self._dataset.root, path, self._manifest, hashes=True)
        except PermissionError:  # told already, where its contents were wanted
            return
        if text:
            self._wrong(f"{text}, as the manifest has it: copy or download it again")

    def _times(self, path: Path) -> VideoTimes | None:
        if not path.is_file():
            return None
        try:
            times = probe(path)
        except BasError as error:
            self._wrong(error)
            return None
        for problem in times.problems:
            self._wrong(f"{path.name}: {problem.text}")
        for note in times.notes:
            self._odd(f"{path.name}: {note}")
        return times

    def _labels(self, video_ms: Mapping[int, int]) -> Labels | None:
        if self._game.labels is None:
            self._odd("no labels: it can be predicted, not learned from or scored")
            return None
        halves = {video.half for video in self._game.videos}
        try:
            labels = read_labels(
                self._game.labels,
                classes=self._dataset.classes,
                halves=halves,
                video_ms=video_ms,
                game=self._game.id,
            )
        except BasError as error:
            self._wrong(error)
            return None
        for warning in labels.warnings:
            self._odd(warning)
        if labels.team_words == "home/away":
            self._odd("teams are named home and away; team work needs left and right, as in the 2025 edition")
        if not labels.spots:
            self._odd(f"{self._game.labels.name} holds no action")
        return labels

    def _wrong(self, what: BasError | str) -> None:
        self.suspicions.append(Suspicion(self._game.id, str(what), wrong=True))

    def _odd(self, what: str) -> None:
        self.suspicions.append(Suspicion(self._game.id, what, wrong=False))


def _open(root: Path, video: VideoSize | None) -> Dataset:
    dataset = open_dataset(root, video=video or "720p")
    if video is None and not any(v.path.is_file() for game in dataset.games for v in game.videos):
        small = open_dataset(root, video="224p")
        if any(v.path.is_file() for game in small.games for v in game.videos):
            return small
    return dataset


def _of_folder(
    dataset: Dataset, splits: Mapping[str, tuple[str, ...]], manifest: Mapping[str, Entry]
) -> Iterator[Suspicion]:
    root, here = dataset.root, {game.id for game in dataset.games}
    own = (root / SPLITS_FILE).is_file()
    for name, listed in splits.items():
        absent = [game for game in listed if game not in here]
        if absent and (own or len(absent) < len(listed)):
            what = f"{len(absent)} of {len(listed)} games are not there: {listing(absent)}"
            yield Suspicion(f"split {name}", what, wrong=own)
    loose = sorted(here - {game for listed in splits.values() for game in listed})
    if loose and splits:
        yield Suspicion("splits", f"games in no split ({len(loose)}): {listing(loose)}", wrong=False)
    if root.is_dir() and (archives := archives_in(root)):
        yield Suspicion(str(root), f"{listing(archives)} may hold more games, not unpacked", wrong=False)
    lost = [name for name in manifest if not (root / name).is_file()]
    if lost:
        yield Suspicion(
            "manifest", f"files that it lists are not there ({len(lost)}): {listing(lost)}", wrong=True
        )


def _facts(times: VideoTimes) -> VideoFacts:
    size = times.path.stat().st_size
    return VideoFacts(times.path, times.length_ms, times.fps, times.width, times.height, times.codec, size)
