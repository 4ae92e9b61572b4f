"""Panel under a rendered picture with one score curve per class, scrolling from right to left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int64, UInt8

from bas.clock import frame_at
from bas.evaluate.analysis.outcomes import Outcome
from bas.evaluate.video import drawing
from bas.evaluate.video.drawing import DARK, GRAY, WHITE, YELLOW, Color
from bas.types import Prediction, Scores, Spot
from bas.vocabulary import actions_of, split_team

SPAN_SECONDS = 4
"""Length of the curve to either side of the current frame."""

_BOX_COLOR: Color = (38, 42, 50)
_CURVE_COLORS: Mapping[str | None, Color] = {None: drawing.BLUE, "left": drawing.LEFT, "right": drawing.RIGHT}
_LEGEND = "score from 4 s before to 4 s after      white: labeled      yellow: detected"


@dataclass(frozen=True, slots=True)
class Marks:
    """Frames at which one action was labeled and detected, in ascending order."""

    labeled: Int64[np.ndarray, "spots"]
    detected: Int64[np.ndarray, "detections"]


class Panel:
    """Draws the scores of one video, one frame at a time."""

    def __init__(self, scores: Scores, marks: Mapping[str, Marks], *, width: int, text_size: int) -> None:
        self._scores, self._marks, self._text_size = scores, marks, text_size
        self._actions = actions_of(scores.classes)
        self._columns = 2 if len(self._actions) > 6 else 1
        self._row_height = round(1.5 * text_size)
        self._margin = text_size // 2
        rows = math.ceil(len(self._actions) / self._columns)
        # Rows, legend and margins, rounded up to an even height as yuv420p requires.
        self.height = (rows * self._row_height + 3 * self._margin + round(1.2 * text_size) + 1) // 2 * 2
        self._cell_width = (width - self._margin) // self._columns
        self._base = self._draw_base(width)
        reserved = self._name_width + self._number_width + 4 * self._margin
        self._span = max(2 * self._margin, self._cell_width - reserved)

    def draw(self, frame: int) -> UInt8[np.ndarray, "height width 3"]:
        """The panel at one frame of the model's clock."""
        picture = self._base.copy()
        for index, action in enumerate(self._actions):
            left, top = self._cell_origin(index)
            self._draw_cell(picture, action, frame, left=left, top=top)
        return picture

    def _draw_cell(
        self, picture: UInt8[np.ndarray, "height width 3"], action: str, frame: int, *, left: int, top: int
    ) -> None:
        height, start = self._row_height - 4, left + self._name_width + self._margin
        frames = self._frames(frame)
        box = picture[top + 2 : top + 2 + height, start : start + self._span]
        box[:] = _BOX_COLOR
        current = 0.0
        for column, name in enumerate(self._scores.classes):
            label, team = split_team(name)
            if label == action:
                values = self._values(column, frames)
                box[_below(values, height)] = _CURVE_COLORS[team]
                current = max(current, float(values[self._span // 2]))
        marks = self._marks.get(action)
        if marks is not None:
            self._draw_marks(box, frames, marks.detected, color=YELLOW, rows=slice(0, max(3, height // 4)))
            self._draw_marks(box, frames, marks.labeled, color=WHITE, rows=slice(None))
        box[::2, self._span // 2] = GRAY  # dotted line at the current frame
        color = WHITE if current >= 0.5 else GRAY
        number = drawing.text_picture(
            f"{100 * current:.0f}", size=self._text_size, color=color, background=DARK
        )
        self._blit(picture, number, left=start + self._span + self._margin, top=top)

    def _draw_marks(
        self,
        box: UInt8[np.ndarray, "height span 3"],
        frames: Int64[np.ndarray, "span"],
        marks: Int64[np.ndarray, "marks"],
        *,
        color: Color,
        rows: slice,
    ) -> None:
        visible = marks[np.searchsorted(marks, frames[0]) : np.searchsorted(marks, frames[-1], side="right")]
        for column in np.searchsorted(frames, visible).tolist():
            box[rows, max(0, column - 1) : column + 1] = color

    def _frames(self, frame: int) -> Int64[np.ndarray, "span"]:
        """Frame shown in each pixel column of a curve; it may lie outside the video."""
        half_span = float(SPAN_SECONDS * self._scores.fps)
        offsets = np.linspace(-half_span, half_span, self._span)
        return np.round(frame + offsets).astype(np.int64)

    def _values(self, column: int, frames: Int64[np.ndarray, "span"]) -> Float[np.ndarray, "span"]:
        inside = (frames >= 0) & (frames < len(self._scores.values))
        values = self._scores.values[frames.clip(0, len(self._scores.values) - 1), column]
        return np.where(inside, values, 0.0)

    def _draw_base(self, width: int) -> UInt8[np.ndarray, "height width 3"]:
        """The constant part: background, class names and legend."""
        longest = max(self._actions, key=len)
        self._name_size = self._text_size
        while (
            self._name_size > 8 and drawing.text_width(longest, size=self._name_size) > 0.5 * self._cell_width
        ):
            self._name_size -= 1
        self._name_width = max(drawing.text_width(name, size=self._name_size) for name in self._actions)
        self._number_width = drawing.text_width("100", size=self._text_size)
        picture = np.empty((self.height, width, 3), np.uint8)
        picture[:] = DARK
        for index, action in enumerate(self._actions):
            left, top = self._cell_origin(index)
            name = drawing.text_picture(action, size=self._name_size, color=WHITE, background=DARK)
            self._blit(picture, name, left=left, top=top)
        legend = drawing.text_picture(
            _LEGEND, size=max(9, round(0.9 * self._text_size)), color=GRAY, background=DARK
        )
        self._blit(picture, legend, left=self._margin, top=self.height - self._margin - legend.shape[0])
        return picture

    def _cell_origin(self, index: int) -> tuple[int, int]:
        rows = math.ceil(len(self._actions) / self._columns)
        column, row = divmod(index, rows)
        return self._margin + column * self._cell_width, self._margin + row * self._row_height

    def _blit(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        piece: UInt8[np.ndarray, "rows columns 3"],
        *,
        left: int,
        top: int,
    ) -> None:
        """Copy a line of text into its row, vertically centered and clipped to the picture."""
        top = max(0, top + (self._row_height - piece.shape[0]) // 2)
        target = picture[top : top + piece.shape[0], left : left + piece.shape[1]]
        target[:] = piece[: target.shape[0], : target.shape[1]]


def _below(values: Float[np.ndarray, "span"], height: int) -> np.ndarray:
    """Mask of the pixels under a curve, of shape (height, span)."""
    rows = np.arange(height)[::-1, None]
    mask: np.ndarray = rows < np.round(values * height)[None, :]
    return mask


def marks_by_action(outcomes: Sequence[Outcome], actions: Sequence[str], fps: Fraction) -> dict[str, Marks]:
    """Frames of the spots and detections of each action, without those before the start of the video."""

    def frames(marks: Sequence[Spot | Prediction | None], action: str) -> Int64[np.ndarray, "marks"]:
        own = [one.position_ms for one in marks if one and one.label == action and one.position_ms >= 0]
        return np.array([frame_at(position_ms, fps) for position_ms in sorted(own)], np.int64)

    spots, detections = [one.spot for one in outcomes], [one.detection for one in outcomes]
    return {action: Marks(frames(spots, action), frames(detections, action)) for action in actions}
