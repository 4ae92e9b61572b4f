"""Short videos of moments, each named by what it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bas import console
from bas.dataset import VideoTimes
from bas.evaluate.pictures import encode, even, pts_at, read_pictures

SIDE_MS = 3000
"""Before the moment and after it."""
_NAME = re.compile(r"\d{3,}m\d\d\.\d{3}s .+ \d{1,3}%")


@dataclass(frozen=True, slots=True)
class Moment:
    """Something worth looking at."""

    position_ms: int
    told: str
    """What it is, in words: `PASS left 93%`."""


def cut_clips(
    times: VideoTimes, moments: Sequence[Moment], out: Path, *, origin_pts: int, ours: bool = False
) -> list[Path]:
    """Cut each moment into `<out>/<name>.mp4`, its pictures re-encoded and their times kept; the paths.

    A moment without a picture is left out with a warning. Clips of an earlier call that are none of
    these are removed; whatever has another name than they have is never touched.

    Args:
        times: of the video.
        moments: what to cut.
        out: folder.
        origin_pts: time of position 0.
        ours: the folder holds clips of this video alone: those of an earlier cut are deleted.

    Raises:
        DataError: the video cannot be read.
        OutputError: the disk is full.
    """
    paths = []
    with console.progress(f"cutting {times.path.name}", len(moments), unit="clips") as advance:
        for moment in moments:
            path = out / f"{clip_name(moment)}.mp4"
            start = pts_at(times, max(0, moment.position_ms - SIDE_MS), origin_pts=origin_pts)
            stop = pts_at(times, moment.position_ms + SIDE_MS, origin_pts=origin_pts)
            pictures = (even(picture) for picture in read_pictures(times, start_pts=start, stop_pts=stop))
            first = next(pictures, None)
            if first is None:
                console.warn(f"{times.path} shows nothing around {path.stem}: that clip is left out.")
            else:
                encode(path, chain([first], pictures), times, origin_pts=start)
                paths.append(path)
            advance()
    if ours:
        _remove_others(out, paths)
    return paths


def _remove_others(out: Path, paths: Sequence[Path]) -> None:
    for path in set(out.glob("*.mp4")) - set(paths):
        if _NAME.fullmatch(path.stem):
            path.unlink()


def clip_name(moment: Moment) -> str:
    """`012m34.560s PASS left 93%`, so that names sort by time; without what some file systems refuse."""
    seconds, rest = divmod(moment.position_ms, 1000)
    told = re.sub(r"[^\w %-]+", "", moment.told)  # "Yellow->red card" is no file name everywhere
    return f"{seconds // 60:03d}m{seconds % 60:02d}.{rest:03d}s {told}"
