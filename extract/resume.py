"""Reuse and removal of what earlier runs left: cache files, part files and temporary files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bas import console
from bas.clock import milliseconds
from bas.config.base import Precision
from bas.dataset import length_ms
from bas.dataset.video.display import read_display
from bas.errors import DataError, MissingError, SettingsError
from bas.extract.cache.fingerprint import VideoIdentity
from bas.extract.cache.parts import Part, Segments, read_part, write_part
from bas.extract.cache.reader import DamagedSpan, FeatureCache, open_cache, verify
from bas.extract.segments import VideoTask
from bas.files import sample_of, sha256_of
from bas.temporary import remove_leftovers

_SUSPICIOUS_MS = 1000


@dataclass(frozen=True, slots=True)
class ExistingCache:
    """Cache file of this video, undamaged except for the spans in `damaged`."""

    cache: FeatureCache
    damaged: tuple[DamagedSpan, ...]


def find_existing(task: VideoTask, identity: Callable[[], VideoIdentity]) -> ExistingCache | None:
    """Return the cache file of this video; None if there is no usable one, with a warning that says why."""
    try:
        cache = open_cache(task.target, fingerprint=task.fingerprint)
    except MissingError:
        return None
    except DataError as error:
        console.warn(str(error))
        return None
    if cache.video != identity():
        console.warn(
            f"{task.target} was extracted from another video than {task.video}; extracting it again."
        )
        return None
    damaged = verify(task.target)
    if damaged:
        spans = ", ".join(str(span) for span in damaged)
        console.warn(f"{task.target} is damaged at {spans}; extracting these spans again.")
    return ExistingCache(cache, damaged)


def comes_from(cache: FeatureCache, video: Path) -> bool:
    """Whether a cache was extracted from the file that is there now, as far as a sample of its bytes tells.

    Raises:
        MissingError, DataError: the file is missing or not a video.
    """
    found = cache.video
    if read_display(video).orientation.text != found.turned or video.stat().st_size != found.bytes:
        return False
    if found.sample:
        return sample_of(video) == found.sample
    # A cache of an earlier version has no sample. Another length is a reason to read all of the video.
    length = milliseconds(cache.num_frames / cache.rate)
    return abs(length_ms(video) - length) < _SUSPICIOUS_MS or sha256_of(video) == found.sha256


def remove_temporaries(task: VideoTask) -> None:
    """Remove temporary files of killed processes, of parts and of the cache."""
    remove_leftovers(task.folder)
    remove_leftovers(task.target.parent)


def salvage_segments(task: VideoTask, existing: ExistingCache, segments: Segments) -> None:
    """Turn the undamaged segments of a damaged file into part files, where nothing has to be guessed."""
    cache = existing.cache
    # The file counts clamped values as a whole, a part per segment: with any, the split is unknown.
    if cache.segments != segments or cache.header.attributes.clamped:
        return
    damaged = {span.segment for span in existing.damaged}
    for number in range(len(segments)):
        rows = segments.rows(number)
        # An invalid row does not say which of its three frames was lost, and the part stores that.
        if number in damaged or not cache.valid[rows.start : rows.stop].all():
            continue
        part = Part(
            fingerprint=cache.fingerprint,
            video=cache.video,
            segment=number,
            first_row=rows.start,
            shape=(len(rows), *task.row_shape),
            precision=cache.header.attributes.precision,
            decoder=cache.header.attributes.decoder,
            clamped=0,
            rows_sha256=cache.header.segment_sha256[number],
            valid=np.ones((len(rows), 3), bool),
        )
        write_part(task.folder, part, np.array(cache.features[rows.start : rows.stop]))


def reusable_parts(
    task: VideoTask, segments: Segments, identity: Callable[[], VideoIdentity]
) -> dict[int, Part]:
    """Return finished segments of an earlier run, except those of other settings or another video."""
    reusable = {}
    for number in range(len(segments)):
        found = read_part(task.folder, number)
        if found is None:
            continue
        rows, (part, _) = segments.rows(number), found
        expected = replace(
            part,
            fingerprint=task.fingerprint.json,
            video=identity(),
            first_row=rows.start,
            shape=(len(rows), *task.row_shape),
        )
        if part == expected:
            reusable[number] = part
    return reusable


def reused_precision(task: VideoTask, parts: Mapping[int, Part]) -> Precision | None:
    """Return the precision of the finished segments, which the others must share; None if there are none.

    Raises:
        SettingsError: the settings ask for another precision.
    """
    found = {part.precision for part in parts.values()}
    if not found:
        return None
    reused, requested = found.pop(), task.settings.precision
    if found or requested not in ("auto", reused):
        raise SettingsError(
            f"{task.folder} holds segments computed in {reused}, but this run asks for {requested}. Pass "
            f"--set extract.precision={reused} to bas extract to continue them, or delete that folder to start over."
        )
    return reused
