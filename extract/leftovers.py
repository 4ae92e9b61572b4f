"""What earlier runs left of a video: its file, its part files, and what kills left behind."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bas import console
from bas.errors import DataError, MissingError, SettingsError
from bas.extract.cache import DamagedSpan, FeatureCache, open_cache, verify
from bas.extract.identity import VideoIdentity
from bas.extract.parts import Part, PartFacts, PartHeader, Segments, read_part, write_part
from bas.extract.precision import Precision
from bas.extract.task import VideoTask
from bas.files import remove_leftovers


@dataclass(frozen=True, slots=True)
class Existing:
    """A cache file of this very video, all of it sound but `damaged`."""

    cache: FeatureCache
    damaged: tuple[DamagedSpan, ...]


def existing_file(task: VideoTask, identity: Callable[[], VideoIdentity]) -> Existing | None:
    """The cache file that is there; None where it cannot be used, and the user is told why."""
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
    return Existing(cache, damaged)


def clear_leftovers(task: VideoTask) -> None:
    """Remove what killed processes left of this video alone: others may be at work in the folder."""
    remove_leftovers(task.folder)
    for path in task.target.parent.glob(f"{glob.escape(task.target.name)}.tmp.*"):
        path.unlink(missing_ok=True)


def take_over(task: VideoTask, existing: Existing, segments: Segments) -> None:
    """Keep the sound segments of a damaged file as parts, where nothing about them would be guessed."""
    cache = existing.cache
    if cache.segments != segments or cache.header.facts.clamped:
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
            precision=cache.header.facts.precision,
            decoder=cache.header.facts.decoder,
            clamped=0,
            rows_sha256=cache.header.segment_sha256[number],
        )
        facts = PartFacts(header, np.ones((len(rows), 3), bool))
        write_part(task.folder, Part(facts, np.array(cache.features[rows.start : rows.stop])))


def kept_parts(
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


def kept_precision(task: VideoTask, parts: Mapping[int, PartFacts]) -> Precision | None:
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
