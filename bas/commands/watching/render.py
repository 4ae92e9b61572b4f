"""`bas render`: copies of videos with scores, detections and labels drawn in."""

from __future__ import annotations

from pathlib import Path

from bas import console
from bas.evaluate.video.overlay import Overlay, render
from bas.heads.inference.analyzed_videos import MediaSource, analyzed_videos


def make_renders(media: MediaSource, *, min_confidence: float | None) -> tuple[Path, ...]:
    """Draw scores, detections and labels onto a copy of every video; returns the paths.

    Args:
        media: videos to render, the model, and the folder that takes one file per video; by default `rendered/`
            in the run or the sidecar folder.
        min_confidence: threshold of all classes; None takes the model's per-class thresholds.

    Raises:
        MissingError, DataError: the model, a match or a video is missing or invalid.
    """
    out = media.results("rendered")
    paths = []
    for one in analyzed_videos(media, min_confidence=min_confidence):
        path = out / f"{one.name}.mp4"
        overlay = Overlay(one.scores, one.outcomes, one.labeled)
        render(one.timeline.times, overlay, path, origin_pts=one.timeline.origin_pts)
        console.info(str(path))
        paths.append(path)
    return tuple(paths)
