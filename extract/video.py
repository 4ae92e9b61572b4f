"""One video, from the probe to its published cache file: what is there is kept, what lacks is made."""

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
from bas.extract.assemble import write_cache
from bas.extract.cache import open_cache
from bas.extract.header import FORMAT, Facts
from bas.extract.identity import VideoIdentity, identify_in_background
from bas.extract.leftovers import (
    Existing,
    clear_leftovers,
    existing_file,
    kept_parts,
    kept_precision,
    take_over,
)
from bas.extract.parts import PartFacts, Segments, part_path, read_part
from bas.extract.segments import SegmentWork, compute_segments
from bas.extract.soundness import Soundness, judge, soundness_of
from bas.extract.task import VideoTask
from bas.extract.timeline import Timeline, open_timeline
from bas.files import locked

Outcome = Literal["made", "kept", "degraded", "skipped", "refused"]


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What became of one video."""

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
    """Make the cache file of one video, or find that it is there, sound and up to date.

    Raises:
        DataError, MissingError: the video is not there, or too bad for the settings.
        LockedError: another process is at work on it.
        OutputError, StoppedError: it is not finished; its finished segments are kept.
    """
    task.stop.check()
    with locked(task.lock, wait=False):
        clear_leftovers(task)
        identity = identify_in_background(task.video)
        existing = existing_file(task, identity)
        if existing is None or existing.damaged:
            return _make(task, identity, existing)
        shutil.rmtree(task.folder, ignore_errors=True)  # what a kill left after the last step
        return _report(task, existing.cache.header.facts, outcome="kept")


def _make(task: VideoTask, identity: Callable[[], VideoIdentity], existing: Existing | None) -> VideoReport:
    timeline = open_timeline(task.video, task.settings)
    if timeline.problem:
        judge(task.video, timeline.problem, task.settings)
    segments = Segments(len(timeline.rows), task.settings.segment_rows)
    if existing is not None:
        take_over(task, existing, segments)
    parts = kept_parts(task, segments, identity)
    encoder = task.encoder(kept_precision(task, parts))
    _require_space(task, segments, kept=len(parts))
    todo = [number for number in range(len(segments)) if number not in parts]
    work = SegmentWork(
        timeline, task.settings, encoder, task.decoder, task.fingerprint.json, identity, task.folder
    )
    parts |= _compute(task, work, todo)
    ordered = [parts[number] for number in range(len(segments))]
    soundness = soundness_of(timeline, np.concatenate([part.sound for part in ordered]))
    if soundness.too_little:
        judge(task.video, soundness.text, task.settings)
    facts = _facts(task, timeline, soundness, ordered)
    _assemble(task, facts, timeline, soundness, ordered)
    outcome: Outcome = "degraded" if timeline.problem or soundness.too_little else "made"
    notes = tuple(text for text in (*timeline.times.notes, timeline.problem, soundness.text) if text)
    return _report(task, facts, outcome=outcome, computed=len(todo), notes=notes)


def _compute(task: VideoTask, work: SegmentWork, todo: Sequence[int]) -> dict[int, PartFacts]:
    if not todo:
        return {}
    num_rows = sum(len(work.segments.rows(number)) for number in todo)
    with console.progress(f"{task.game} {task.video.name}", num_rows, unit="rows") as progress:

        def advance(rows: int) -> None:
            progress(rows)
            task.stop.check()

        return compute_segments(work, todo, advance=advance)


def _require_space(task: VideoTask, segments: Segments, *, kept: int) -> None:
    """Parts and the final file exist side by side for a moment."""
    row_bytes = 2 * math.prod(task.row_shape)
    need = row_bytes * (2 * segments.num_rows - min(kept * segments.segment_rows, segments.num_rows))
    task.target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(task.target.parent).free
    if free < need:
        raise OutputError(
            f"{task.target} needs {need:,} bytes while it is made (its {row_bytes * segments.num_rows:,} twice) "
            f"and {free:,} are free. Make room there, or choose another folder for the features."
        )


def _assemble(
    task: VideoTask, facts: Facts, timeline: Timeline, soundness: Soundness, parts: Sequence[PartFacts]
) -> None:
    """Publish the file, read it back, and remove the parts."""
    write_cache(
        task.target,
        facts,
        row_shape=task.row_shape,
        pts=timeline.times.pts[timeline.ticks.picture],
        valid=soundness.valid,
        segment_sha256=tuple(part.header.rows_sha256 for part in parts),
        segments=_rows_of(task, parts),
    )
    open_cache(task.target, fingerprint=task.fingerprint)
    shutil.rmtree(task.folder, ignore_errors=True)  # what is left of it, the next run removes


def _rows_of(
    task: VideoTask, parts: Sequence[PartFacts]
) -> Iterator[Float16[np.ndarray, "_ channels height width"]]:
    for facts in parts:
        part = read_part(task.folder, facts.header.segment)
        if part is None or part.facts.header != facts.header:
            raise DataError(
                f"{part_path(task.folder, facts.header.segment)} changed on the disk after it was written. "
                "Check the disk, and run the same command again: that segment is made anew."
            )
        yield part.rows


def _facts(task: VideoTask, timeline: Timeline, soundness: Soundness, parts: Sequence[PartFacts]) -> Facts:
    header = parts[0].header
    decoders = {name for part in parts for name in part.header.decoder.split("+")}
    return Facts(
        format=FORMAT,
        fingerprint=task.fingerprint.json,
        clock=task.settings.clock,
        hop=task.settings.hop,
        num_frames=len(timeline.ticks),
        segment_rows=task.settings.segment_rows,
        video_bytes=header.video.bytes,
        video_sha256=header.video.sha256,
        time_base=str(timeline.times.time_base),
        origin_pts=timeline.origin_pts,
        expected=soundness.expected,
        missing=soundness.missing,
        damaged=soundness.damaged,
        clamped=sum(part.header.clamped for part in parts),
        decoder="+".join(sorted(decoders)),
        precision=header.precision,
        versions=f"bas {bas.__version__}, torch {version('torch')}, timm {version('timm')}",
        complete=1,
    )


def _report(
    task: VideoTask,
    facts: Facts,
    *,
    outcome: Outcome,
    computed: int = 0,
    notes: tuple[str, ...] = (),
) -> VideoReport:
    return VideoReport(
        game=task.game,
        video=task.video.name,
        outcome=outcome,
        rows=math.ceil(facts.num_frames / facts.hop),
        computed_segments=computed,
        missing=facts.missing,
        damaged=facts.damaged,
        clamped=facts.clamped,
        decoder=facts.decoder,
        precision=facts.precision,
        notes=notes,
    )
