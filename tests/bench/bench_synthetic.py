"""Synthetic matches: frames per second including encoding, and time by step."""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.table import Table

from bas.console import show, table
from bas.synthetic import synthesize
from bas.synthetic.files.encode import encode
from bas.synthetic.match import HalfSpec, render_pictures, simulate
from bas.synthetic.simulation.schedule import FPS

_MINUTES = 2.0
_PART_FRAMES = 500
_SIZES = {"224x128": (224, 128), "224p": (398, 224), "720p": (1280, 720)}

_Result = TypeVar("_Result")


def main() -> None:
    """Assert that the bytes do not depend on the number of processes, then print speeds."""
    with tempfile.TemporaryDirectory() as folder:
        alone, together = (_digests(Path(folder) / str(processes), processes) for processes in (1, 2))
        assert alone == together
        show(_whole(Path(folder)))
        show(_parts(Path(folder)))


def _whole(folder: Path) -> Table:
    cores = len(os.sched_getaffinity(0))
    rows = table(
        f"Synthetic matches, rendering and encoding, {cores} cores",
        "size",
        "frames",
        "seconds",
        "frames/s",
        "CPU (ms/frame)",
    )
    for size in ("224x128", "224p"):
        frames = round(2 * _MINUTES * 60 * FPS)
        before = _cpu_seconds()
        call = partial(synthesize, folder / size, matches=2, minutes=_MINUTES, size=size, profile="even")
        seconds, _ = _timed(call)
        busy = 1000 * (_cpu_seconds() - before) / frames
        rows.add_row(size, f"{frames:,}", f"{seconds:.1f}", f"{frames / seconds:.0f}", f"{busy:.1f}")
    return rows


def _parts(folder: Path) -> Table:
    rows = table("One process, ms per frame", "size", "simulate", "paint", "encode")
    for name, (width, height) in _SIZES.items():
        spec = HalfSpec(1, 0, 1, _PART_FRAMES, "even", width, height)
        simulating, _ = _timed(partial(simulate, spec))
        render_pictures(spec, 0, 1)
        painting, painted = _timed(partial(render_pictures, spec, 0, _PART_FRAMES))
        encoding, _ = _timed(partial(encode, folder / "part.mp4", painted, width=width, height=height))
        rows.add_row(
            name, *(f"{1000 * seconds / _PART_FRAMES:.2f}" for seconds in (simulating, painting, encoding))
        )
    return rows


def _digests(folder: Path, processes: int) -> dict[str, str]:
    synthesize(folder, matches=1, minutes=0.2, size="224x128", profile="even", processes=processes)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _timed(function: Callable[[], _Result]) -> tuple[float, _Result]:
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of its finished child processes."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
