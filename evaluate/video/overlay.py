"""Render detections, labels and score curves into a copy of a video."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bas import console
from bas.clock import frame_at, milliseconds, time_text
from bas.dataset import VideoTimes
from bas.evaluate.analysis.outcomes import Kind, Outcome
from bas.evaluate.formats.exports import SHOWN_MS
from bas.evaluate.video import drawing
from bas.evaluate.video.drawing import BLACK, DARK, GREEN, ORANGE, RED, WHITE, YELLOW, Color
from bas.evaluate.video.panel import Panel, marks_by_action
from bas.evaluate.video.reading import even_size, pts_at, read_pictures, resized, write_video
from bas.types import Prediction, Scores, Spot
from bas.vocabulary import actions_of

if TYPE_CHECKING:
    from av import VideoFrame

_MIN_HEIGHT = 400  # a smaller picture is enlarged to at least this height, to keep the text legible
_TEXT_DIVISOR = 34  # the font size is the picture height divided by this


@dataclass(frozen=True, slots=True)
class Overlay:
    """What to draw on one video."""

    scores: Scores
    outcomes: Sequence[Outcome]
    """Outcomes of its spots and detections."""
    is_labeled: bool
    """Whether the video has labels; without, a detection is neither right nor wrong."""


def render(times: VideoTimes, overlay: Overlay, path: Path, *, origin_pts: int) -> None:
    """Draw scores, detections and labels onto a copy of a video, without sound and on the clock that players show.

    Args:
        times: timing of the video.
        overlay: what to draw.
        path: path of the MP4 file to write.
        origin_pts: presentation time of position 0.

    Raises:
        DataError: the video cannot be read.
        OutputError: the disk is full.
    """
    lead_ms = times.lead_ms(origin_pts)
    painter = _Painter(times, overlay, lead_ms=lead_ms)
    with console.progress(f"rendering {times.path.name}", len(times.pts), unit="pictures") as advance:

        def painted() -> Generator[VideoFrame, None, None]:
            stop = int(times.pts[-1]) + 1
            for picture in read_pictures(times, start_pts=origin_pts, stop_pts=stop):
                assert picture.pts is not None
                yield painter.paint(picture, milliseconds((picture.pts - origin_pts) * times.time_base))
                advance()

        write_video(path, painted(), times, origin_pts=pts_at(times, -lead_ms, origin_pts=origin_pts))


@dataclass(frozen=True, slots=True)
class _Caption:
    """A line of text shown on the picture for a short time."""

    position_ms: int
    text: str
    background: Color


class _Painter:
    def __init__(self, times: VideoTimes, overlay: Overlay, *, lead_ms: int = 0) -> None:
        self._lead_ms = lead_ms
        self._fps: Fraction = overlay.scores.fps
        columns, rows = times.shown_size
        scale = max(1, math.ceil(_MIN_HEIGHT / rows))
        self._width, self._height = even_size(scale * columns, scale * rows)
        self._text_size = round(self._height / _TEXT_DIVISOR)
        marks = marks_by_action(overlay.outcomes, actions_of(overlay.scores.classes), self._fps)
        self._panel = Panel(overlay.scores, marks, width=self._width, text_size=self._text_size)
        outcomes, is_labeled = overlay.outcomes, overlay.is_labeled
        detected = (_detection_caption(o.detection, o.kind, is_labeled) for o in outcomes if o.detection)
        labeled = (_spot_caption(o.spot, o.kind) for o in outcomes if o.spot)
        self._detected = sorted(detected, key=lambda caption: caption.position_ms)
        self._labeled = sorted(labeled, key=lambda caption: caption.position_ms)

    def paint(self, picture: VideoFrame, position_ms: int) -> VideoFrame:
        """The picture with its captions and the clock, and the panel below it."""
        import av

        source = resized(picture, (self._width, self._height))
        planes = drawing.unpack_planes(source.to_ndarray())
        self._paint_captions(planes, self._detected, position_ms, on_right=False)
        self._paint_captions(planes, self._labeled, position_ms, on_right=True)
        shown = time_text(position_ms + self._lead_ms)
        clock = drawing.chip(shown, size=self._text_size, color=WHITE, background=BLACK)
        drawing.paint(
            planes, clock, left=self._text_size, top=self._height - clock.y.shape[0] - self._text_size
        )
        panel = drawing.planes_from_rgb(self._panel.draw(frame_at(position_ms, self._fps)))
        # Packed yuv420p stores whole planes one after the other, so picture and panel are joined plane by plane.
        stacked = [np.concatenate([getattr(planes, name), getattr(panel, name)]).ravel() for name in "yuv"]
        packed = np.concatenate(stacked).reshape(-1, self._width)
        result = av.VideoFrame.from_ndarray(packed, format="yuv420p")
        result.color_range, result.colorspace = source.color_range, source.colorspace
        result.pts = picture.pts
        return result

    def _paint_captions(
        self, planes: drawing.YuvPlanes, captions: Sequence[_Caption], position_ms: int, *, on_right: bool
    ) -> None:
        """Draw the captions of the last second and a half, the newest at the top."""
        first = bisect_right(captions, position_ms - SHOWN_MS, key=lambda caption: caption.position_ms)
        stop = bisect_right(captions, position_ms, key=lambda caption: caption.position_ms)
        top = self._text_size
        for caption in reversed(captions[first:stop]):
            chip = drawing.chip(
                caption.text,
                size=round(1.4 * self._text_size),
                color=_text_color(caption.background),
                background=caption.background,
            )
            if top + chip.y.shape[0] > self._height:
                return
            left = self._width - chip.y.shape[1] - self._text_size if on_right else self._text_size
            drawing.paint(planes, chip, left=max(0, left), top=top)
            top += chip.y.shape[0] + self._text_size // 3


def _detection_caption(detection: Prediction, kind: Kind, is_labeled: bool) -> _Caption:
    """Green for a hit, red for a false positive or confusion, yellow if the video has no labels."""
    words = (detection.label, detection.team, f"{100 * detection.confidence:.0f} %")
    text = " ".join(filter(None, words))
    background = (GREEN if kind == "hit" else RED) if is_labeled else YELLOW
    return _Caption(detection.position_ms, text, background)


def _spot_caption(spot: Spot, kind: Kind) -> _Caption:
    """Dark for a hit, orange for a miss or confusion."""
    word = {"hit": "labeled", "confused": "confused", "miss": "missed"}[kind]
    text = " ".join(filter(None, (word, spot.label, spot.team)))
    return _Caption(spot.position_ms, text, DARK if kind == "hit" else ORANGE)


def _text_color(background: Color) -> Color:
    return WHITE if background in (DARK, RED, BLACK) else BLACK
