"""Stage 1 over many videos: what is there is left alone, what lacks is made, what is bad is reported."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from rich.markup import escape

from bas import console
from bas.config.settings import ExtractSettings
from bas.errors import (
    BasError,
    DataError,
    LockedError,
    MissingError,
    PartialError,
    RunFailedError,
    SettingsError,
)
from bas.extract.cache import FeatureCache, open_cache, verify
from bas.extract.decode import Decoder
from bas.extract.encoder import Encoder, FrozenEncoder
from bas.extract.fingerprint import Fingerprint, cache_path, fingerprint_of
from bas.extract.precision import Precision, best_precision
from bas.extract.soundness import too_many
from bas.extract.stacks import canvas_of
from bas.extract.task import VideoTask
from bas.extract.video import Outcome, VideoReport, extract_video
from bas.extract.weights import build_encoder, weights_digest
from bas.files import write_json
from bas.signals import StopFlag, stop_on_signals
from bas.types import Game, Video

_POLL_SECONDS = 0.5  # while another process is at work on the last videos


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """What became of every video, and where the rows are."""

    folder: Path
    """Of all caches of this fingerprint."""
    fingerprint: Fingerprint
    videos: tuple[VideoReport, ...]


def extract(
    games: Sequence[Game],
    settings: ExtractSettings,
    *,
    features: Path,
    device: str,
    decoder: Decoder = "auto",
    shard: tuple[int, int] | None = None,
    training: Sequence[Game] = (),
) -> ExtractReport:
    """Make the cache file of every video of `games`; those that are there and sound are left alone.

    Several processes may run this at once: each video is made by one of them.

    Args:
        games: whose videos are read.
        settings: of the rows.
        features: folder of all caches.
        device: that encodes, as torch names it.
        decoder: auto takes NVDEC where it works.
        shard: (i, n) takes every n-th video, from the i-th on, counted from 0.
        training: games on which random weights are measured.

    Raises:
        DataError, MissingError: after all other videos are done, when some could not be.
        PartialError: after all are done, when the settings let damaged ones pass or left them out.
        OutputError, StoppedError: at once; the same command continues.
    """
    encoder = build_encoder(settings, features=features, training=training)
    fingerprint = fingerprint_of(settings, weights=weights_digest(encoder))
    ready = _readied(encoder, settings, device)
    shard = shard or _rank()
    with stop_on_signals() as stop:
        tasks = [
            VideoTask(
                game=game.id,
                video=video.path,
                target=cache_path(features, fingerprint, game, video),
                settings=settings,
                fingerprint=fingerprint,
                encoder=ready,
                row_shape=(encoder.width, *settings.grid),
                decoder=decoder,
                stop=stop,
            )
            for game, video in _sharded(games, shard)
        ]
        try:
            reports, errors = _extract_all(tasks, stop)
        except torch.OutOfMemoryError as error:
            raise RunFailedError(
                f"The memory of {device} is too small for {settings.batch} rows at once. Pass "
                f"--set extract.batch={max(1, settings.batch // 2)}; finished segments are kept."
            ) from error
    report = ExtractReport(features / fingerprint.key, fingerprint, tuple(reports))
    _tell(report, shard)
    if errors:
        raise _summary(errors, report)
    if any(video.outcome in ("skipped", "degraded") for video in reports):
        raise PartialError(f"Some videos were left out or are incomplete: see {_report_path(report, shard)}.")
    return report


def cached_rows(
    games: Sequence[Game],
    settings: ExtractSettings,
    *,
    features: Path,
    device: str,
    decoder: Decoder = "auto",
    training: Sequence[Game] = (),
) -> dict[Path, FeatureCache]:
    """The rows of every video of `games`, by its path; those that lack are extracted first.

    Every row that is there is held against its hash, and damaged ones are made anew; the video is held
    against the cache by its size alone, while `extract` and `bas doctor` read all of it.

    Raises:
        MissingError, DataError: some videos cannot be read, or not as the settings want them.
    """
    opened = caches(games, settings, features=features, training=training)
    _tell_lost(opened)
    lacking = [game for game in games if any(video.path not in opened for video in game.videos)]
    if lacking:
        console.say(f"Rows of {len(lacking)} of {len(games)} matches are not there yet: extracting them.")
        try:
            extract(
                lacking,
                settings,
                features=features,
                device=device,
                decoder=decoder,
                shard=(0, 1),
                training=training,
            )
        except PartialError as error:
            console.warn(str(error))
        opened = caches(games, settings, features=features, training=training)
    return opened


def _tell_lost(opened: Mapping[Path, FeatureCache]) -> None:
    """Say again how much is lost of videos that lack many pictures, as was said when their rows were made."""
    for path, rows in opened.items():
        facts = rows.header.facts
        if too_many(facts.missing + facts.damaged, of=facts.expected):
            console.warn(
                f"{path}: of {facts.expected:,} pictures {facts.missing:,} are missing and {facts.damaged:,} "
                "damaged; actions there go unseen."
            )


def caches(
    games: Sequence[Game], settings: ExtractSettings, *, features: Path, training: Sequence[Game] = ()
) -> dict[Path, FeatureCache]:
    """The rows that are there and sound, by the path of their video; those of a replaced video are not."""
    encoder = build_encoder(settings, features=features, training=training)
    fingerprint = fingerprint_of(settings, weights=weights_digest(encoder))
    found = {}
    for game, video in _videos(games):
        try:
            path = cache_path(features, fingerprint, game, video)
            opened = open_cache(path, fingerprint=fingerprint)
            if verify(path):
                continue
        except (MissingError, DataError):  # `extract` says what is wrong, and mends it
            continue
        if video.path.exists() and video.path.stat().st_size == opened.video.bytes:
            found[video.path] = opened
    return found


def _readied(
    encoder: Encoder, settings: ExtractSettings, device: str
) -> Callable[[Precision | None], FrozenEncoder]:
    """The encoder frozen for this device, once a precision, when it is first needed."""

    @cache
    def ready(precision: Precision) -> FrozenEncoder:
        size = canvas_of(settings).padded
        return FrozenEncoder(encoder, size=size, grid=settings.grid, precision=precision, device=device)

    return lambda precision: ready(precision or best_precision(settings.precision, device))


def _videos(games: Sequence[Game]) -> list[tuple[Game, Video]]:
    return [(game, video) for game in games for video in game.videos]


def _sharded(games: Sequence[Game], shard: tuple[int, int]) -> list[tuple[Game, Video]]:
    number, count = shard
    if not 0 <= number < count:
        raise SettingsError(f"Shard {number} of {count} is none: shards count from 0 to {count - 1}.")
    return _videos(games)[number::count]


def _extract_all(tasks: Sequence[VideoTask], stop: StopFlag) -> tuple[list[VideoReport], list[BasError]]:
    """Extract each video; those that another process holds come last, and are waited for."""
    reports: list[VideoReport] = []
    errors: list[BasError] = []
    waiting = deque(tasks)
    held = 0
    while waiting:
        task = waiting.popleft()
        try:
            reports.append(extract_video(task))
        except LockedError:
            waiting.append(task)
            held += 1
            if held == len(waiting):
                console.say(
                    f"Waiting for another process, which is at work on {task.game} {task.video.name}."
                )
            if held >= len(waiting):
                stop.check()
                time.sleep(_POLL_SECONDS)
            continue
        except (DataError, MissingError) as error:
            skipped = isinstance(error, DataError) and task.settings.on_bad_video == "skip"
            if not skipped:
                errors.append(error)
            outcome: Outcome = "skipped" if skipped else "refused"
            notes = (str(error),)
            reports.append(VideoReport(task.game, task.video.name, outcome, notes=notes))
        held = 0
    return reports, errors


def _tell(report: ExtractReport, shard: tuple[int, int]) -> None:
    """Write the report, and show it where there is anything to see."""
    fingerprint = json.loads(report.fingerprint.json)
    videos = [asdict(video) for video in report.videos]
    write_json(_report_path(report, shard), {"fingerprint": fingerprint, "videos": videos})
    if all(video.outcome == "kept" for video in report.videos):
        console.say(f"All {len(report.videos)} videos are in {report.folder} already.")
        return
    table = console.table(
        str(report.folder), "game", "video", "outcome", "rows", "missing", "damaged", "decoder", left=3
    )
    for video in report.videos:
        counts = (f"{count:,}" for count in (video.rows, video.missing, video.damaged))
        table.add_row(escape(video.game), escape(video.video), video.outcome, *counts, video.decoder)
    console.show(table)
    for video in report.videos:
        for note in video.notes:
            console.say(f"{video.game} {video.video}: {note}")


def _report_path(report: ExtractReport, shard: tuple[int, int]) -> Path:
    number, count = shard
    return report.folder / ("report.json" if count == 1 else f"report-{number}-of-{count}.json")


def _summary(errors: Sequence[BasError], report: ExtractReport) -> BasError:
    """One error for all videos that could not be extracted."""
    if len(errors) == 1:
        return errors[0]
    kind = type(errors[0]) if len({type(error) for error in errors}) == 1 else DataError
    lines = "\n".join(f"  {error}" for error in errors)
    return kind(f"{len(errors)} of {len(report.videos)} videos could not be extracted:\n{lines}")


def _rank() -> tuple[int, int]:
    """The share of this process among those that torchrun started; all, without it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
