"""Extract features for many videos: skip complete caches, compute missing ones, report failures."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from rich.markup import escape

from bas import console
from bas.config import ExtractSettings
from bas.config.base import Decoder, Precision
from bas.dataset import Dataset
from bas.errors import (
    BasError,
    DataError,
    LockedError,
    MissingError,
    PartialError,
    SettingsError,
    memory_advice,
)
from bas.extract.bad_video import exceeds_loss
from bas.extract.cache.fingerprint import Fingerprint, cache_path, fingerprint_of
from bas.extract.cache.reader import FeatureCache, open_cache, verify
from bas.extract.encode.device import best_precision
from bas.extract.encode.encoder import Encoder, FrozenEncoder
from bas.extract.encode.stacks import canvas_of
from bas.extract.encode.weights import build_encoder, weights_digest
from bas.extract.resume import comes_from
from bas.extract.segments import VideoTask
from bas.extract.video import Outcome, VideoReport, extract_video
from bas.files import write_json
from bas.messages import counted
from bas.signals import StopFlag, stop_on_signals
from bas.types import Game, Video

_POLL_SECONDS = 0.5  # while other processes extract the last videos


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """Result of every video, and the folder of the rows."""

    folder: Path
    """Folder of all caches with this fingerprint."""
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
    """Create the cache file of every video of `games`; complete and valid ones are skipped.

    Several processes may run this at once: each video is extracted by one of them.

    Args:
        games: games whose videos are extracted.
        settings: settings of the rows.
        features: folder of all caches.
        device: device of the encoder, as torch names it.
        decoder: auto uses NVDEC if it works, else the CPU.
        shard: (i, n) selects every n-th video, starting at the i-th, counted from 0.
        training: games on which the statistics of random weights are measured.

    Raises:
        DataError, MissingError: some videos failed; raised after all others are finished.
        PartialError: some videos are damaged or skipped, as the settings allow; raised at the end.
        OutputError, StoppedError: raised at once; the same command continues.
    """
    # Unless it is given: the share of this process under torchrun, otherwise all videos.
    number, count = shard or (int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
    if not 0 <= number < count:
        raise SettingsError(
            f"Invalid shard {number}/{count}: the index must be between 0 and {count - 1}. Under torchrun it comes from "
            "RANK and WORLD_SIZE."
        )
    encoder = build_encoder(settings, features=features, training=training)
    fingerprint = fingerprint_of(settings, weights=weights_digest(encoder))
    ready = _encoder_factory(encoder, settings, device)
    with stop_on_signals() as stop:
        tasks = [
            VideoTask(
                game=game.id,
                video=video.path,
                target=cache_path(features, fingerprint, game, video),
                settings=settings,
                fingerprint=fingerprint,
                encoder_for=ready,
                row_shape=(encoder.width, *settings.grid),
                decoder=decoder,
                stop=stop,
            )
            for game, video in _videos(games)[number::count]
        ]
        advice = (
            f"Pass --set extract.batch={max(1, settings.batch // 2)} instead of {settings.batch} on {device} to bas "
            "extract or bas fit-head, or pass --device cpu; finished segments are kept."
        )
        with memory_advice(advice):
            reports, errors = _extract_all(tasks, stop)
    report = ExtractReport(features / fingerprint.key, fingerprint, tuple(reports))
    path = report.folder / ("report.json" if count == 1 else f"report-{number}-of-{count}.json")
    _publish_report(report, path)
    if errors:
        raise _summary(errors, report)
    if any(video.outcome in ("skipped", "degraded") for video in reports):
        raise PartialError(f"Some videos were skipped or are incomplete: see {path}.")
    return report


def cached_features(
    games: Sequence[Game],
    settings: ExtractSettings,
    *,
    features: Path,
    device: str,
    decoder: Decoder = "auto",
    training: Sequence[Game] = (),
) -> dict[Path, FeatureCache]:
    """Return the cache of every video of `games`, by video path; extract missing ones first.

    All cached rows are checked against their hashes, and damaged ones are extracted again. Of the
    video a sample is compared with the cache, while `extract` and `bas doctor` read all of it.

    Raises:
        MissingError, DataError: some videos cannot be read, or are worse than the settings allow.
    """
    opened = open_caches(games, settings, features=features, training=training)
    _warn_of_losses(opened)
    if missing := [game for game in games if any(video.path not in opened for video in game.videos)]:
        console.info(f"Extracting missing features: {len(missing)} of {counted(len(games), 'match')}.")
        try:
            extract(
                missing,
                settings,
                features=features,
                device=device,
                decoder=decoder,
                shard=(0, 1),  # all of them here: under torchrun the default would be this rank's share
                training=training,
            )
        except PartialError as error:
            console.warn(str(error))
        opened = open_caches(games, settings, features=features, training=training)
    return opened


def _warn_of_losses(opened: Mapping[Path, FeatureCache]) -> None:
    """Warn, on every use of the rows and not only at extraction, of videos with a notable loss."""
    for path, rows in opened.items():
        attributes = rows.header.attributes
        if exceeds_loss(attributes.missing + attributes.damaged, of=attributes.expected):
            console.warn(
                f"{path}: of {attributes.expected:,} pictures {attributes.missing:,} are missing and {attributes.damaged:,} "
                "damaged; actions there cannot be detected."
            )


def open_caches(
    games: Sequence[Game], settings: ExtractSettings, *, features: Path, training: Sequence[Game] = ()
) -> dict[Path, FeatureCache]:
    """Open the complete and valid caches, by video path; skip those whose video was replaced."""
    encoder = build_encoder(settings, features=features, training=training)
    fingerprint = fingerprint_of(settings, weights=weights_digest(encoder))
    found = {}
    for game, video in _videos(games):
        try:
            path = cache_path(features, fingerprint, game, video)
            opened = open_cache(path, fingerprint=fingerprint)
            if comes_from(opened, video.path) and not verify(path):
                found[video.path] = opened
        except (MissingError, DataError):  # `extract` reports the problem and repairs the file
            continue
    return found


def _encoder_factory(
    encoder: Encoder, settings: ExtractSettings, device: str
) -> Callable[[Precision | None], FrozenEncoder]:
    """Return a function that builds the frozen encoder of a precision at the first call, and then reuses it."""

    @cache
    def ready(precision: Precision) -> FrozenEncoder:
        size = canvas_of(settings).padded
        return FrozenEncoder(encoder, size=size, grid=settings.grid, precision=precision, device=device)

    return lambda precision: ready(precision or best_precision(settings.precision, device))


def _videos(games: Sequence[Game]) -> list[tuple[Game, Video]]:
    return [(game, video) for game in games for video in game.videos]


def _extract_all(tasks: Sequence[VideoTask], stop: StopFlag) -> tuple[list[VideoReport], list[BasError]]:
    """Extract each video; those locked by another process come last, after waiting for it."""
    reports: list[VideoReport] = []
    errors: list[BasError] = []
    waiting = deque(tasks)
    num_locked = 0  # locked videos in a row; a full round of them means that there is nothing else to do
    while waiting:
        task = waiting.popleft()
        try:
            reports.append(extract_video(task))
        except LockedError:
            waiting.append(task)
            num_locked += 1
            if num_locked == len(waiting):
                console.info(f"Waiting for another process that is extracting {task.game} {task.video.name}.")
            if num_locked >= len(waiting):
                stop.check()
                time.sleep(_POLL_SECONDS)
            continue
        except (DataError, MissingError) as error:
            skipped = isinstance(error, DataError) and task.settings.on_bad_video == "skip"
            if not skipped:
                errors.append(error)
            outcome: Outcome = "skipped" if skipped else "refused"
            reports.append(VideoReport(task.game, task.video.name, outcome, notes=(str(error),)))
        num_locked = 0
    return reports, errors


def _publish_report(report: ExtractReport, path: Path) -> None:
    """Write the report as JSON, and print a table unless every video was already complete."""
    videos = [asdict(video) for video in report.videos]
    write_json(path, {"fingerprint": json.loads(report.fingerprint.json), "videos": videos})
    if all(video.outcome == "kept" for video in report.videos):
        console.info(f"Already extracted: {counted(len(report.videos), 'video')} in {report.folder}.")
        return
    columns = "game", "video", "outcome", "rows", "missing", "damaged", "decoder"
    table = console.table(str(report.folder), *columns, left=3)
    for video in report.videos:
        counts = (f"{count:,}" for count in (video.rows, video.missing, video.damaged))
        table.add_row(escape(video.game), escape(video.video), video.outcome, *counts, video.decoder)
    console.show(table)
    for video in report.videos:
        for note in video.notes:
            console.info(f"{video.game} {video.video}: {note}")


def _summary(errors: Sequence[BasError], report: ExtractReport) -> BasError:
    """Combine the errors of all failed videos into one."""
    if len(errors) == 1:
        return errors[0]
    kind = type(errors[0]) if len({type(error) for error in errors}) == 1 else DataError
    lines = "\n".join(f"  {error}" for error in errors)
    return kind(f"Failed to extract {len(errors)} of {counted(len(report.videos), 'video')}:\n{lines}")


def games_with_features(games: Sequence[Game], caches: Mapping[Path, object]) -> tuple[Game, ...]:
    """Games whose videos all have caches; videos may lack one because they are damaged (`on_bad_video`).

    Raises:
        DataError: no game is left.
    """
    complete = tuple(game for game in games if all(video.path in caches for video in game.videos))
    left_out = "; ".join(game.id for game in games if game not in complete)
    if not complete:
        raise DataError(
            f"No match left to use: the videos of {left_out} are damaged. Copy or download them again, or pass "
            "--set extract.on_bad_video=degrade to bas fit-head."
        )
    if left_out:
        console.warn(f"Skipped matches with a damaged video: {left_out}.")
    return complete


def statistics_games(dataset: Dataset, games: Sequence[Game], settings: ExtractSettings) -> Sequence[Game]:
    """Games whose stacks set the normalization statistics of random weights; none for other weights.

    The training split, or the given games if there is no training split.
    """
    if settings.weights != "random":
        return ()
    try:
        return dataset.split("train")
    except MissingError:
        console.info(f"No training split: random weights are measured on {counted(len(games), 'match')}.")
        return games
