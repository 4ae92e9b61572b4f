"""A video with what the model says burnt in: events on the picture, a curve a class under it."""

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
from bas.clock import frame_at, milliseconds
from bas.dataset import VideoTimes
from bas.evaluate import drawing
from bas.evaluate.drawing import BLACK, DARK, GREEN, ORANGE, RED, WHITE, YELLOW, Color
from bas.evaluate.outcomes import Kind, Outcome
from bas.evaluate.panel import Panel, marks_of
from bas.evaluate.peaks import actions_of
from bas.evaluate.pictures import encode, even, read_pictures
from bas.evaluate.soccernet import Prediction
from bas.types import Scores, Spot

if TYPE_CHECKING:
    from av import VideoFrame

_SHOWN_MS = 1500
_LOWEST_ROWS = 400  # a smaller picture is enlarged until it has as many, for the text's sake
_ROWS_A_LETTER = 34


@dataclass(frozen=True, slots=True)
class Story:
    """What is told of one video."""

    scores: Scores
    outcomes: Sequence[Outcome]
    """Its actions and claims."""
    labeled: bool
    """Whether somebody labeled it; else a claim without an action means nothing."""


def render(times: VideoTimes, story: Story, path: Path, *, origin_pts: int) -> None:
    """Burn scores, detections and labels into a copy of a video, without sound, at the same times.

    Args:
        times: of the video.
        story: what to draw.
        path: of the MP4 file.
        origin_pts: time of position 0.

    Raises:
        DataError: the video cannot be read.
        OutputError: the disk is full.
    """
    painter = _Painter(times, story)
    with console.progress(f"rendering {times.path.name}", len(times.pts), unit="pictures") as advance:

        def painted() -> Generator[VideoFrame, None, None]:
            stop = int(times.pts[-1]) + 1
            for picture in read_pictures(times, start_pts=origin_pts, stop_pts=stop):
                assert picture.pts is not None
                yield painter.paint(picture, milliseconds((picture.pts - origin_pts) * times.time_base))
                advance()

        encode(path, painted(), times, origin_pts=origin_pts)


@dataclass(frozen=True, slots=True)
class _Event:
    """A line of text that is on the picture for a while."""

    position_ms: int
    text: str
    paper: Color


class _Painter:
    def __init__(self, times: VideoTimes, story: Story) -> None:
        self._fps: Fraction = story.scores.fps
        self._scale = max(1, math.ceil(_LOWEST_ROWS / times.height))
        self._width = self._scale * times.width // 2 * 2
        self._height = self._scale * times.height // 2 * 2
        self._text = round(self._height / _ROWS_A_LETTER)
        spots = [one.spot for one in story.outcomes if one.spot and one.spot.position_ms >= 0]
        claims = [one.claim for one in story.outcomes if one.claim and one.claim.position_ms >= 0]
        marks = marks_of(
            [(spot.label, frame_at(spot.position_ms, self._fps)) for spot in spots],
            [(claim.label, frame_at(claim.position_ms, self._fps)) for claim in claims],
            actions_of(story.scores.classes),
        )
        self._panel = Panel(story.scores, marks, width=self._width, text=self._text)
        claimed = [_claimed(one.claim, one.kind, story.labeled) for one in story.outcomes if one.claim]
        labeled = [_labeled(one.spot, one.kind) for one in story.outcomes if one.spot]
        self._claimed = sorted(claimed, key=lambda event: event.position_ms)
        self._labeled = sorted(labeled, key=lambda event: event.position_ms)

    def paint(self, picture: VideoFrame, position_ms: int) -> VideoFrame:
        """The picture with its events, and the panel under it."""
        import av

        source = even(picture, scale=self._scale)
        planes = drawing.planes_of(source.to_ndarray())
        self._events(planes, self._claimed, position_ms, on_right=False)
        self._events(planes, self._labeled, position_ms, on_right=True)
        minutes, seconds = divmod(position_ms // 1000, 60)
        clock = drawing.chip(f"{minutes:02d}:{seconds:02d}", size=self._text, ink=WHITE, paper=BLACK)
        drawing.paint(planes, clock, left=self._text, top=self._height - clock.y.shape[0] - self._text)
        panel = drawing.from_rgb(self._panel.draw(frame_at(position_ms, self._fps)))
        stacked = [np.concatenate([getattr(planes, name), getattr(panel, name)]).ravel() for name in "yuv"]
        packed = np.concatenate(stacked).reshape(-1, self._width)
        result = av.VideoFrame.from_ndarray(packed, format="yuv420p")
        result.color_range, result.colorspace = source.color_range, source.colorspace
        result.pts = picture.pts
        return result

    def _events(
        self, planes: drawing.Planes, events: Sequence[_Event], position_ms: int, *, on_right: bool
    ) -> None:
        """The events of the last second and a half, the newest on top."""
        first = bisect_right(events, position_ms - _SHOWN_MS, key=lambda event: event.position_ms)
        stop = bisect_right(events, position_ms, key=lambda event: event.position_ms)
        top = self._text
        for event in reversed(events[first:stop]):
            chip = drawing.chip(
                event.text, size=round(1.4 * self._text), ink=_ink(event.paper), paper=event.paper
            )
            if top + chip.y.shape[0] > self._height:
                return
            left = self._width - chip.y.shape[1] - self._text if on_right else self._text
            drawing.paint(planes, chip, left=max(0, left), top=top)
            top += chip.y.shape[0] + self._text // 3


def _claimed(claim: Prediction, kind: Kind, labeled: bool) -> _Event:
    """Green where a label agrees, red where none does, yellow where there are none."""
    text = " ".join(filter(None, (claim.label, claim.team, f"{100 * claim.confidence:.0f} %")))
    paper = (GREEN if kind == "found" else RED) if labeled else YELLOW
    return _Event(claim.position_ms, text, paper)


def _labeled(spot: Spot, kind: Kind) -> _Event:
    """Dark where a claim agrees, orange where none does."""
    found = kind == "found"
    text = " ".join(filter(None, ("labeled" if found else "missed", spot.label, spot.team)))
    return _Event(spot.position_ms, text, DARK if found else ORANGE)


def _ink(paper: Color) -> Color:
    return WHITE if paper in (DARK, RED, BLACK) else BLACK
