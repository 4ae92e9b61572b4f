"""Extraction of one video, from the probe to the published cache file, with reuse of earlier work."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import numpy as np
from jaxtyping import Float16

import bas
from bas import console
from bas.errors import DataError, OutputError
from bas.extract.bad_video import VideoQuality, enforce_bad_video_policy, measure_quality
from bas.extract.cache.fingerprint import VideoIdentity, identify_in_background
from bas.extract.cache.format import FORMAT, CacheAttributes
from bas.extract.cache.parts import Part, Segments, part_path, read_part
from bas.extract.cache.reader import FeatureCache, open_cache
from bas.extract.cache.writer import write_cache
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.extract.resume import (
    ExistingCache,
    find_existing,
    remove_temporaries,
    reusable_parts,
    reused_precision,
    salvage_segments,
)
from bas.extract.segments import SegmentWork, VideoTask, compute_segments
from bas.files import locked

Outcome = Literal["extracted", "kept", "degraded", "skipped", "refused"]


@dataclass(frozen=True, slots=True)
class VideoReport:
    """Result of one video; the field names are JSON keys of `report.json`."""

    game: str
    video: str
    outcome: Outcome
    rows: int = 0
    computed_segments: int = 0
    missing: int = 0
    damaged: int = 0
    clamped: int = 0
    decoder: str = ""
    precision: str = ""
    notes: tuple[str, ...] = ()


def extract_video(task: VideoTask) -> VideoReport:
    """Create the cache file of one video, unless a valid and current one exists.

    Raises:
        DataError, MissingError: the video is missing, or worse than the settings allow.
        LockedError: another process is extracting it.
        OutputError, StoppedError: it is unfinished; its finished segments are kept.
    """
    task.stop.check()
    with locked(task.lock, wait=False):
        remove_temporaries(task)
        identity = identify_in_background(task.video)
        existing = find_existing(task, identity)
        if existing is None or existing.damaged:
            return _extract(task, identity, existing)
        shutil.rmtree(task.folder, ignore_errors=True)  # parts remain if the last run was killed at its end
        return _report(task, existing.cache, outcome="kept")


def _extract(
    task: VideoTask, identity: Callable[[], VideoIdentity], existing: ExistingCache | None
) -> VideoReport:
    timeline = open_timeline(task.video, task.settings)
    if timeline.problem:
        enforce_bad_video_policy(task.video, timeline.problem, task.settings)
    segments = Segments(len(timeline.rows), task.settings.segment_rows)
    # Salvaged segments become parts first, so that resuming and repairing are one path from here on.
    if existing is not None:
        salvage_segments(task, existing, segments)
    parts = reusable_parts(task, segments, identity)
    encoder = task.encoder_for(reused_precision(task, parts))
    _require_space(task, segments, kept=len(parts))
    todo = [number for number in range(len(segments)) if number not in parts]
    parts |= _compute(SegmentWork(task, timeline, encoder, identity), todo)
    ordered = [parts[number] for number in range(len(segments))]
    quality = measure_quality(timeline, np.concatenate([part.valid for part in ordered]))
    if quality.is_insufficient:
        enforce_bad_video_policy(task.video, quality.text, task.settings)
    cache = _publish_cache(task, timeline, quality, ordered)
    outcome: Outcome = "degraded" if timeline.problem or quality.is_insufficient else "extracted"
    notes = tuple(text for text in (*timeline.times.notes, timeline.problem, quality.text) if text)
    return _report(task, cache, outcome=outcome, computed=len(todo), notes=notes)


def _compute(work: SegmentWork, todo: Sequence[int]) -> dict[int, Part]:
    if not todo:
        return {}
    task = work.task
    num_rows = sum(len(work.segments.rows(number)) for number in todo)
    with console.progress(f"{task.game} {task.video.name}", num_rows, unit="rows") as progress:

        def advance(rows: int) -> None:
            progress(rows)
            task.stop.check()

        return compute_segments(work, todo, advance=advance)


def _require_space(task: VideoTask, segments: Segments, *, kept: int) -> None:
    """Require room for the parts and the final file, which exist side by side for a moment."""
    row_bytes = 2 * math.prod(task.row_shape)  # float16
    # Every row once in the final file, and once more in a part unless that part is there already.
    need = row_bytes * (2 * segments.num_rows - min(kept * segments.segment_rows, segments.num_rows))
    task.target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(task.target.parent).free
    if free < need:
        raise OutputError(
            f"{task.target} needs {need:,} bytes during extraction (twice its {row_bytes * segments.num_rows:,}), "
            f"but {free:,} are free. Free disk space there, or choose another folder for the features."
        )


def _publish_cache(
    task: VideoTask, timeline: VideoTimeline, quality: VideoQuality, parts: Sequence[Part]
) -> FeatureCache:
    """Publish the file, read it back, and remove the parts."""
    # Salvaged parts carry the decoders of a whole file, which may be two: "cpu+nvdec".
    decoders = {name for part in parts for name in part.decoder.split("+")}
    attributes = CacheAttributes(
        format=FORMAT,
        fingerprint=task.fingerprint.json,
        clock=task.settings.clock,
        hop=task.settings.hop,
        num_frames=len(timeline.clock_frames),
        segment_rows=task.settings.segment_rows,
        video_bytes=parts[0].video.bytes,
        video_sha256=parts[0].video.sha256,
        time_base=str(timeline.times.time_base),
        origin_pts=timeline.origin_pts,
        expected=quality.expected,
        missing=quality.missing,
        damaged=quality.damaged,
        clamped=sum(part.clamped for part in parts),
        decoder="+".join(sorted(decoders)),
        precision=parts[0].precision,
        versions=f"bas {bas.__version__}, torch {version('torch')}, timm {version('timm')}",
        complete=1,
        turned=parts[0].video.turned,
        video_sample=parts[0].video.sample,
    )
    # In this order: a kill before the last line leaves all parts, and the next run starts from them.
    write_cache(
        task.target,
        attributes,
        row_shape=task.row_shape,
        pts=timeline.times.pts[timeline.clock_frames.picture],
        valid=quality.valid,
        segment_sha256=tuple(part.rows_sha256 for part in parts),
        segments=_segment_rows(task, parts),
    )
    cache = open_cache(task.target, fingerprint=task.fingerprint)
    shutil.rmtree(task.folder, ignore_errors=True)  # the next run removes what is left
    return cache


def _segment_rows(
    task: VideoTask, parts: Sequence[Part]
) -> Iterator[Float16[np.ndarray, "_ channels height width"]]:
    for part in parts:
        found = read_part(task.folder, part.segment)
        if found is None or found[0] != part:
            raise DataError(
                f"{part_path(task.folder, part.segment)} changed on the disk after it was written. "
                "Check the disk, then run the same command again to recompute that segment."
            )
        yield found[1]


def _report(
    task: VideoTask, cache: FeatureCache, *, outcome: Outcome, computed: int = 0, notes: tuple[str, ...] = ()
) -> VideoReport:
    attributes = cache.header.attributes
    return VideoReport(
        game=task.game,
        video=task.video.name,
        outcome=outcome,
        rows=len(cache),
        computed_segments=computed,
        missing=attributes.missing,
        damaged=attributes.damaged,
        clamped=attributes.clamped,
        decoder=attributes.decoder,
        precision=attributes.precision,
        notes=notes,
    )
