"""`bas clips`: every detection, or the worst mistakes, as a short video named by what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.evaluate.analysis.outcomes import Outcome, peak_score, worst_mistakes
from bas.evaluate.video.highlights import Highlight, cut_highlights
from bas.heads.inference.analyzed_videos import AnalyzedVideo, MediaSource, analyzed_videos
from bas.messages import counted
from bas.types import Prediction


def make_clips(
    media: MediaSource, *, min_confidence: float | None, num_mistakes: int | None
) -> tuple[Path, ...]:
    """Cut every detection above the threshold, or the worst mistakes of all videos; returns the paths.

    Args:
        media: videos to cut from, the model, and the folder that takes one folder per video; by default `clips/`
            or `mistakes/` in the run or the sidecar folder.
        min_confidence: threshold of all classes; None takes the model's per-class thresholds.
        num_mistakes: number of mistakes to cut; None cuts detections.

    Raises:
        MissingError, DataError: the model, a match or a video is missing or invalid.
        MissingError: mistakes were requested of a video without labels; raised before anything is predicted.
    """
    videos = list(analyzed_videos(media, min_confidence=min_confidence, need_labels=num_mistakes is not None))
    if num_mistakes is None:
        chosen = [
            (one, [_detection_highlight(outcome.detection) for outcome in one.outcomes if outcome.detection])
            for one in videos
        ]
    else:
        chosen = _worst_by_video(videos, num_mistakes)
    # In its own folder the command replaces its earlier clips; in a folder of the user it deletes nothing.
    ours = media.out is None
    out = media.results("clips" if num_mistakes is None else "mistakes")
    paths = [
        path
        for one, highlights in chosen
        for path in cut_highlights(
            one.timeline.times,
            highlights,
            out / one.name,
            origin_pts=one.timeline.origin_pts,
            remove_stale=ours,
        )
    ]
    console.info(f"Wrote {counted(len(paths), 'clip')} to {out}")
    return tuple(paths)


def _worst_by_video(
    videos: Sequence[AnalyzedVideo], number: int
) -> list[tuple[AnalyzedVideo, list[Highlight]]]:
    """The worst mistakes of all videos, grouped by video."""
    scores = {one.game: {w.video.half: w.scores for w in videos if w.game == one.game} for one in videos}
    chosen = worst_mistakes([outcome for one in videos for outcome in one.outcomes], scores, number)
    return [
        (
            one,
            [
                _mistake_highlight(outcome, peak_score(outcome, scores))
                for outcome in chosen
                if (outcome.game, outcome.half) == (one.game, one.video.half)
            ],
        )
        for one in videos
    ]


def _detection_highlight(detection: Prediction) -> Highlight:
    words = (detection.label, detection.team, f"{100 * detection.confidence:.0f}%")
    return Highlight(detection.position_ms, " ".join(filter(None, words)))


def _mistake_highlight(one: Outcome, highest: float) -> Highlight:
    """`false positive PASS left 93%`, `miss SHOT 4%`, `miss SHOT taken for PASS left 80%`."""
    if one.spot is None:
        assert one.detection is not None
        return Highlight(one.position_ms, f"false positive {_detection_highlight(one.detection).caption}")
    instead = (
        f"taken for {_detection_highlight(one.detection).caption}"
        if one.detection
        else f"{100 * highest:.0f}%"
    )
    words = ("miss", one.spot.label, one.spot.team, instead)
    return Highlight(one.position_ms, " ".join(filter(None, words)))
