"""One video, from the probe to its published cache file: what is there is kept, what lacks is made."""

from __future__ import annotations

import glob
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float16

import bas
from bas import console
from bas.config.settings import ExtractSettings
from bas.errors import DataError, MissingError, OutputError, SettingsError
from bas.extract.assemble import write_cache
from bas.extract.cache import FORMAT, DamagedSpan, Facts, FeatureCache, open_cache, verify
from bas.extract.decode import Decoder, Health
from bas.extract.encoder import FrozenEncoder
from bas.extract.fingerprint import Fingerprint
from bas.extract.identity import VideoIdentity, identify_in_background
from bas.extract.parts import Part, PartFacts, PartHeader, Segments, part_path, read_part, write_part
from bas.extract.precision import Precision
from bas.extract.segments import SegmentWork, compute_segments
from bas.extract.soundness import Soundness, judge, soundness_of
from bas.extract.timeline import Timeline, open_timeline
from bas.files import locked, remove_leftovers
from bas.signals import StopFlag

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


@dataclass(frozen=True, slots=True)
class VideoTask:
    """One video, how its rows are made, and where they go."""

    game: str
    video: Path
    target: Path
    settings: ExtractSettings
    fingerprint: Fingerprint
    encoder: Callable[[Precision | None], FrozenEncoder]
    """The encoder in a precision; None for the one that the settings ask for."""
    row_shape: tuple[int, int, int]
    decoder: Decoder
    stop: StopFlag

    @property
    def folder(self) -> Path:
        """Of the part files."""
        return self.target.with_suffix(".parts")


def extract_video(task: VideoTask) -> VideoReport:
    """Make the cache file of one video, or find that it is there, sound and up to date.

    Raises:
        DataError, MissingError: the video is not there, or too bad for the settings.
        LockedError: another process is at work on it.
        OutputError, StoppedError: it is not finished; its finished segments are kept.
    """
    identity = identify_in_background(task.video)
    existing = _existing(task, identity)
    if existing is not None and not existing.damaged and not task.folder.exists():
        return _report(task, existing.cache.facts, outcome="kept")
    with locked(task.target.with_suffix(".lock"), wait=False):
        _clear_leftovers(task)
        existing = _existing(task, identity)  # another process may have been faster
        if existing is None or existing.damaged:
            return _make(task, identity, existing)
        shutil.rmtree(task.folder, ignore_errors=True)  # what a kill left after the last step
        return _report(task, existing.cache.facts, outcome="kept")


@dataclass(frozen=True, slots=True)
class _Existing:
    """A cache file of this very video, all of it sound but `damaged`."""

    cache: FeatureCache
    damaged: tuple[DamagedSpan, ...]


def _existing(task: VideoTask, identity: Callable[[], VideoIdentity]) -> _Existing | None:
    try:
        cache = open_cache(task.target, fingerprint=task.fingerprint)
    except MissingError:
        return None
    except DataError as error:
        console.warn(str(error))
        return None
    if cache.video != identity():
        console.warn(f"{task.video} is another video than {task.target.name} was made of: making it anew.")
        return None
    damaged = verify(task.target)
    if damaged:
        spans = ", ".join(str(span) for span in damaged)
        console.warn(f"{task.target} is damaged at {spans}: making these anew.")
    return _Existing(cache, damaged)


def _make(task: VideoTask, identity: Callable[[], VideoIdentity], existing: _Existing | None) -> VideoReport:
    timeline = open_timeline(task.video, task.settings)
    if timeline.problem:
        judge(task.video, timeline.problem, task.settings)
    segments = Segments(len(timeline.rows), task.settings.segment_rows)
    if existing is not None:
        _take_over(task, existing, segments)
    parts = _kept_parts(task, segments, identity)
    encoder = task.encoder(_kept_precision(task, parts))
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
    write_cache(
        task.target,
        facts,
        row_shape=task.row_shape,
        pts=timeline.times.pts[timeline.ticks.picture],
        valid=soundness.valid,
        segment_sha256=tuple(part.header.rows_sha256 for part in ordered),
        segments=_rows_of(task, ordered),
    )
    open_cache(task.target, fingerprint=task.fingerprint)
    shutil.rmtree(task.folder, ignore_errors=True)  # what is left of it, the next run removes
    outcome: Outcome = "degraded" if timeline.problem or soundness.too_little else "made"
    notes = tuple(text for text in (timeline.problem, soundness.text) if text)
    return _report(task, facts, outcome=outcome, computed=len(todo), notes=notes)


def _compute(task: VideoTask, work: SegmentWork, todo: Sequence[int]) -> dict[int, PartFacts]:
    if not todo:
        return {}
    num_rows = sum(len(work.segments.rows(number)) for number in todo)
    with console.progress(f"{task.game} {task.video.name}", num_rows, unit="rows") as progress:

        def advance(rows: int) -> None:
            progress(rows)
            task.stop.check()

        return compute_segments(work, todo, health=Health(), advance=advance)


def _clear_leftovers(task: VideoTask) -> None:
    """Remove what killed processes left of this video alone: others may be at work in the folder."""
    remove_leftovers(task.folder)
    for path in task.target.parent.glob(f"{glob.escape(task.target.name)}.tmp.*"):
        path.unlink(missing_ok=True)


def _take_over(task: VideoTask, existing: _Existing, segments: Segments) -> None:
    """Keep the sound segments of a damaged file as parts, where nothing about them would be guessed."""
    cache = existing.cache
    if cache.segments != segments or cache.facts.clamped:
        return
    damaged = {span.segment for span in existing.damaged}
    for number in range(len(segments)):
        rows = segments.rows(number)
        if number in damaged or not cache.valid[rows.start : rows.stop].all():
            continue
        header = PartHeader(
            fingerprint=cache.fingerprint,
            video=cache.video,
            segment=number,
            first_row=rows.start,
            shape=(len(rows), *task.row_shape),
            precision=cache.facts.precision,
            decoder=cache.facts.decoder,
            clamped=0,
            rows_sha256=cache.segment_sha256[number],
        )
        facts = PartFacts(header, np.ones((len(rows), 3), bool))
        write_part(task.folder, Part(facts, np.array(cache.features[rows.start : rows.stop])))


def _kept_parts(
    task: VideoTask, segments: Segments, identity: Callable[[], VideoIdentity]
) -> dict[int, PartFacts]:
    """The finished segments of an earlier run; those of other settings or another video are not kept."""
    kept = {}
    for number in range(len(segments)):
        part = read_part(task.folder, number)
        if part is None:
            continue
        rows, header = segments.rows(number), part.facts.header
        wanted = replace(
            header,
            fingerprint=task.fingerprint.json,
            video=identity(),
            first_row=rows.start,
            shape=(len(rows), *task.row_shape),
        )
        if header == wanted:
            kept[number] = part.facts
    return kept


def _kept_precision(task: VideoTask, parts: Mapping[int, PartFacts]) -> Precision | None:
    """Precision of the finished segments, which the others must share; None where there are none."""
    found = {part.header.precision for part in parts.values()}
    if not found:
        return None
    kept, wanted = found.pop(), task.settings.precision
    if found or wanted not in ("auto", kept):
        raise SettingsError(
            f"{task.folder} holds segments that were computed in {kept}, and this run asks for {wanted}. Pass "
            f"--set extract.precision={kept} to continue them, or delete that folder to begin anew."
        )
    return kept


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
        rows=-(-facts.num_frames // facts.hop),
        computed_segments=computed,
        missing=facts.missing,
        damaged=facts.damaged,
        clamped=facts.clamped,
        decoder=facts.decoder,
        precision=facts.precision,
        notes=notes,
    )
