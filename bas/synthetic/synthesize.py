"""Data folders of synthetic matches: videos, labels, splits and manifest."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import UInt8

from bas import console
from bas.dataset.manifest import MANIFEST_NAME, write_manifest
from bas.dataset.splits import SPLITS_FILE
from bas.errors import OutputError, SettingsError
from bas.files import atomic_write, locked, publish, read_json, write_json
from bas.synthetic.files.encode import encode
from bas.synthetic.files.labels import label_document
from bas.synthetic.files.layouts import (
    LayoutName,
    MatchFiles,
    MatchName,
    match_files,
    match_name,
    split_games,
)
from bas.synthetic.match import HalfSpec, Renderer, open_renderer
from bas.synthetic.simulation.actions import ProfileName
from bas.synthetic.simulation.schedule import FPS
from bas.temporary import remove_leftovers, temporary_file

_REQUEST_FILE = "synthetic.json"
_LOCK_FILE = ".synthetic.lock"
_SIZES = {"224p": (398, 224), "720p": (1280, 720)}
_SIZE = re.compile(r"([0-9]{2,4})x([0-9]{2,4})")
_MIN_MINUTES = 0.1


def synthesize(
    out: Path,
    *,
    matches: int,
    minutes: float,
    size: str = "224p",
    profile: ProfileName = "real",
    layout: LayoutName = "bas-2025",
    seed: int = 0,
    processes: int | None = None,
) -> tuple[str, ...]:
    """Render matches into `out` and return their game ids; the same arguments give the same bytes.

    Existing files are kept, so repeating an interrupted call finishes it.

    Args:
        out: folder for these matches alone; created if missing.
        matches: number of matches.
        minutes: length of each match, both halves together.
        size: 224p (398x224), 720p (1280x720), or WIDTHxHEIGHT with even numbers, in files named 224p.
        profile: `real` has the action frequencies of real matches, `even` 40 actions per minute with equal shares.
        layout: dataset whose folders and label format to imitate.
        seed: seed of all random choices.
        processes: number of rendering processes; all cores by default. The result does not depend on it.

    Raises:
        SettingsError: the size, length, seed or number of matches is invalid.
        OutputError: `out` holds other data, or the disk is full.
        LockedError: another process is writing to `out`.
        RunFailedError: a rendering process was killed.
    """
    width, height = _parse_size(size)
    half_frames = _half_frames(minutes)
    if matches < 1 or seed < 0:
        raise SettingsError(
            f"Invalid matches={matches}, seed={seed}. Expected at least 1 match, and a seed of 0 or more."
        )
    request = {
        "matches": matches, "minutes": minutes, "size": f"{width}x{height}", "video": _video_name(size),
        "profile": profile, "layout": layout, "seed": seed,
    }  # fmt: skip
    jobs = [
        _job(
            out,
            layout,
            _video_name(size),
            [HalfSpec(seed, i, half, half_frames, profile, width, height) for half in (1, 2)],
        )
        for i in range(matches)
    ]
    games = tuple(job.name.game_id for job in jobs)
    _reserve_folder(out, request)
    with locked(out / _LOCK_FILE, wait=False):
        remove_leftovers(out)
        _render_missing(out, jobs, layout, processes=processes or len(os.sched_getaffinity(0)))
    return games


@dataclass(frozen=True, slots=True)
class _Job:
    """One match to render."""

    name: MatchName
    files: MatchFiles
    halves: tuple[HalfSpec, ...]

    @property
    def videos(self) -> dict[Path, tuple[HalfSpec, ...]]:
        """Halves in each video."""
        if len(self.files.videos) == 1:
            return {self.files.videos[0]: self.halves}
        return {path: (half,) for path, half in zip(self.files.videos, self.halves, strict=True)}

    @property
    def paths(self) -> tuple[Path, ...]:
        return (*self.files.videos, self.files.labels)


def _job(out: Path, layout: LayoutName, video: str, halves: list[HalfSpec]) -> _Job:
    name = match_name(layout, match=halves[0].match, rng=replace(halves[0], half=0).rng("name"))
    return _Job(name, match_files(out, layout, name, video=video), tuple(halves))


def _render_missing(out: Path, jobs: list[_Job], layout: LayoutName, *, processes: int) -> None:
    """Write all missing files."""
    # Splits come first and the manifest last: a folder with a manifest is complete.
    splits = split_games(tuple(job.name.game_id for job in jobs))
    if not (out / SPLITS_FILE).is_file():
        atomic_write(out / SPLITS_FILE, yaml.safe_dump(splits, sort_keys=False, width=200).encode())
    missing = [job for job in jobs if not all(path.is_file() for path in job.paths)]
    videos = {path: halves for job in missing for path, halves in job.videos.items() if not path.is_file()}
    if missing:
        total = sum(half.frames for halves in videos.values() for half in halves)
        with open_renderer(processes) as pool, console.progress("synth", total, unit="frames") as advance:
            for job in missing:
                _write_labels(job, layout, pool)
                for path, halves in job.videos.items():
                    if path in videos:
                        _write_video(path, halves, pool, advance)
    if missing or not (out / MANIFEST_NAME).is_file():
        write_manifest(out, [path for job in jobs for path in job.paths])


def _write_labels(job: _Job, layout: LayoutName, pool: Renderer) -> None:
    if not job.files.labels.is_file():
        contacts = [pool.contacts(half) for half in job.halves]
        half_frames = job.halves[0].frames
        write_json(job.files.labels, label_document(layout, job.name, contacts, half_frames=half_frames))


def _write_video(path: Path, halves: tuple[HalfSpec, ...], pool: Renderer, advance: console.Advance) -> None:
    """Encode into a draft beside the final path, then publish it."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def pictures() -> Iterator[UInt8[np.ndarray, "rows columns"]]:
        for picture in chain.from_iterable(pool.pictures(half) for half in halves):
            yield picture
            advance()

    def copy_draft(descriptor: int) -> None:
        with draft.open("rb") as source, os.fdopen(descriptor, "wb", closefd=False) as target:
            shutil.copyfileobj(source, target)

    with temporary_file(path) as (_, draft):
        encode(draft, pictures(), width=halves[0].width, height=halves[0].height)
        publish(path, copy_draft, size=draft.stat().st_size)


def _reserve_folder(out: Path, request: dict[str, Any]) -> None:
    """Refuse a folder that holds other data, before anything is written; record the request in a new one."""
    request_path = out / _REQUEST_FILE
    if request_path.is_file():
        existing = read_json(request_path)
        if existing != request:
            raise OutputError(
                f"{out} holds synthetic matches with other settings ({_describe(existing)}; "
                f"requested: {_describe(request)}). Choose another folder, or remove this one."
            )
        return
    leftover = f"{_REQUEST_FILE}.tmp."  # of a run killed while it recorded its request
    if out.exists() and not (out.is_dir() and all(path.name.startswith(leftover) for path in out.iterdir())):
        raise OutputError(
            f"{out} is not an empty folder. Synthetic matches need an empty or new one. Choose another folder."
        )
    write_json(request_path, request)


def _describe(request: Any) -> str:
    return (
        ", ".join(f"{key} {value}" for key, value in request.items())
        if isinstance(request, dict)
        else "other data"
    )


def _parse_size(size: str) -> tuple[int, int]:
    if size in _SIZES:
        return _SIZES[size]
    match = _SIZE.fullmatch(size)
    if match is None or any(int(number) % 2 or int(number) < 32 for number in match.groups()):
        raise SettingsError(
            f"Invalid size {size!r}. Expected 224p, 720p, or WIDTHxHEIGHT with even numbers of at least 32, such as 224x128."
        )
    return int(match[1]), int(match[2])


def _video_name(size: str) -> str:
    return "720p" if size == "720p" else "224p"


def _half_frames(minutes: float) -> int:
    if not _MIN_MINUTES <= minutes <= 300:
        raise SettingsError(f"Invalid minutes={minutes}. Expected {_MIN_MINUTES} to 300.")
    return round(minutes * 60 * FPS / 2)
