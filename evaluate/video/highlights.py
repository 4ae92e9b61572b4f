"""Short clips of detections or mistakes, each named after its time and content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bas import console
from bas.clock import time_text
from bas.dataset import VideoTimes
from bas.evaluate.video.reading import even_size, pts_at, read_pictures, resized, write_video

CONTEXT_MS = 3000
"""Length of a clip before its position, and after it."""
_NAME = re.compile(r"\d{3,}m\d\d\.\d{3}s .+ \d{1,3}%")


@dataclass(frozen=True, slots=True)
class Highlight:
    """A position in a video that is worth watching."""

    position_ms: int
    caption: str
    """Short description, such as `PASS left 93%`."""


def cut_highlights(
    times: VideoTimes,
    highlights: Sequence[Highlight],
    out: Path,
    *,
    origin_pts: int,
    remove_stale: bool = False,
) -> list[Path]:
    """Write each highlight to `<out>/<name>.mp4`, re-encoded with its presentation times kept.

    A highlight without pictures is left out with a warning.

    Args:
        times: timing of the video.
        highlights: positions to cut.
        out: output folder.
        origin_pts: presentation time of position 0.
        remove_stale: delete clips of earlier calls from the folder, recognized by the form of their names.

    Returns:
        Paths of the clips written.

    Raises:
        DataError: the video cannot be read.
        OutputError: the disk is full.
    """
    paths, size, lead_ms = [], even_size(*times.shown_size), times.lead_ms(origin_pts)
    with console.progress(f"cutting {times.path.name}", len(highlights), unit="clips") as advance:
        for highlight in highlights:
            path = out / f"{highlight_name(highlight, lead_ms=lead_ms)}.mp4"
            start = pts_at(times, max(0, highlight.position_ms - CONTEXT_MS), origin_pts=origin_pts)
            stop = pts_at(times, highlight.position_ms + CONTEXT_MS, origin_pts=origin_pts)
            pictures = (
                resized(picture, size) for picture in read_pictures(times, start_pts=start, stop_pts=stop)
            )
            first = next(pictures, None)
            if first is None:
                console.warn(f"{times.path} has no pictures around {path.stem}; skipping that clip.")
            else:
                write_video(path, chain([first], pictures), times, origin_pts=start)
                paths.append(path)
            advance()
    if remove_stale:
        _remove_others(out, paths)
    return paths


def _remove_others(out: Path, paths: Sequence[Path]) -> None:
    for path in set(out.glob("*.mp4")) - set(paths):
        if _NAME.fullmatch(path.stem):
            path.unlink()


def highlight_name(highlight: Highlight, *, lead_ms: int = 0) -> str:
    """File name without suffix, such as `012m34.560s PASS left 93%`; names sort by time and suit every file system.

    The time is that of a player, which shows `lead_ms` at position 0.
    """
    time = time_text(highlight.position_ms + lead_ms, decimals=3).replace(":", "m").zfill(10)
    caption = re.sub(r"[^\w %-]+", "", highlight.caption)  # some file systems refuse "Yellow->red card"
    return f"{time}s {caption}"
