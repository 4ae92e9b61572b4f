"""The panel under a rendered picture: a curve a class, that runs from right to left through the moment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64, UInt8

from bas.evaluate import drawing
from bas.evaluate.drawing import DARK, GRAY, WHITE, YELLOW, Color
from bas.evaluate.peaks import actions_of, split_team
from bas.types import Scores

SPAN_SECONDS = 4
"""Of the curve to either side of the moment."""

_GROUND: Color = (38, 42, 50)
_SHADES: Mapping[str | None, Color] = {None: drawing.BLUE, "left": drawing.LEFT, "right": drawing.RIGHT}
_LEGEND = "score from 4 s before to 4 s after      white: labeled      yellow: detected"


@dataclass(frozen=True, slots=True)
class Marks:
    """Ticks at which an action was labeled or detected, rising."""

    labeled: Int64[np.ndarray, "spots"]
    detected: Int64[np.ndarray, "detections"]


class Panel:
    """Draws the scores of one video, a tick at a time."""

    def __init__(self, scores: Scores, marks: Mapping[str, Marks], *, width: int, text: int) -> None:
        self._scores, self._marks, self._text = scores, marks, text
        self._actions = actions_of(scores.classes)
        self._columns = 2 if len(self._actions) > 6 else 1
        self._row = round(1.5 * text)
        self._margin = text // 2
        rows = math.ceil(len(self._actions) / self._columns)
        self.height = (rows * self._row + 3 * self._margin + round(1.2 * text) + 1) // 2 * 2
        self._cell = (width - self._margin) // self._columns
        self._base = self._drawn_once(width)
        taken = self._names + self._numbers + 4 * self._margin
        self._span = max(2 * self._margin, self._cell - taken)

    def draw(self, tick: int) -> UInt8[np.ndarray, "height width 3"]:
        """The panel at one moment."""
        picture = self._base.copy()
        for number, action in enumerate(self._actions):
            left, top = self._place(number)
            self._draw_cell(picture, action, tick, left=left, top=top)
        return picture

    def _draw_cell(
        self, picture: UInt8[np.ndarray, "height width 3"], action: str, tick: int, *, left: int, top: int
    ) -> None:
        height, start = self._row - 4, left + self._names + self._margin
        ticks = self._ticks(tick)
        box = picture[top + 2 : top + 2 + height, start : start + self._span]
        box[:] = _GROUND
        now = 0.0
        for column, name in enumerate(self._scores.classes):
            label, team = split_team(name)
            if label == action:
                values = self._values(column, ticks)
                box[_below(values, height)] = _SHADES[team]
                now = max(now, float(values[self._span // 2]))
        marks = self._marks.get(action)
        if marks is not None:
            self._mark(box, ticks, marks.detected, color=YELLOW, rows=slice(0, max(3, height // 4)))
            self._mark(box, ticks, marks.labeled, color=WHITE, rows=slice(None))
        box[::2, self._span // 2] = GRAY
        shade = WHITE if now >= 0.5 else GRAY
        number = drawing.text_picture(f"{100 * now:.0f}", size=self._text, ink=shade, paper=DARK)
        self._blit(picture, number, left=start + self._span + self._margin, top=top)

    def _mark(
        self,
        box: UInt8[np.ndarray, "height span 3"],
        ticks: Int64[np.ndarray, "span"],
        at: Int64[np.ndarray, "marks"],
        *,
        color: Color,
        rows: slice,
    ) -> None:
        near = at[np.searchsorted(at, ticks[0]) : np.searchsorted(at, ticks[-1], side="right")]
        for place in np.searchsorted(ticks, near).tolist():
            box[rows, max(0, place - 1) : place + 1] = color

    def _ticks(self, tick: int) -> Int64[np.ndarray, "span"]:
        """Tick of every pixel of a curve."""
        reach = float(SPAN_SECONDS * self._scores.fps)
        offsets = np.linspace(-reach, reach, self._span)
        return np.round(tick + offsets).astype(np.int64)

    def _values(self, column: int, ticks: Int64[np.ndarray, "span"]) -> Float[np.ndarray, "span"]:
        inside = (ticks >= 0) & (ticks < len(self._scores.values))
        values = self._scores.values[ticks.clip(0, len(self._scores.values) - 1), column]
        return np.where(inside, values, 0.0)

    def _drawn_once(self, width: int) -> UInt8[np.ndarray, "height width 3"]:
        """What never changes: ground, names, and the legend."""
        longest = max(self._actions, key=len)
        self._name_size = self._text
        while self._name_size > 8 and drawing.text_width(longest, size=self._name_size) > 0.5 * self._cell:
            self._name_size -= 1
        self._names = max(drawing.text_width(name, size=self._name_size) for name in self._actions)
        self._numbers = drawing.text_width("100", size=self._text)
        picture = np.empty((self.height, width, 3), np.uint8)
        picture[:] = DARK
        for number, action in enumerate(self._actions):
            left, top = self._place(number)
            name = drawing.text_picture(action, size=self._name_size, ink=WHITE, paper=DARK)
            self._blit(picture, name, left=left, top=top)
        legend = drawing.text_picture(_LEGEND, size=max(9, round(0.9 * self._text)), ink=GRAY, paper=DARK)
        self._blit(picture, legend, left=self._margin, top=self.height - self._margin - legend.shape[0])
        return picture

    def _place(self, number: int) -> tuple[int, int]:
        rows = math.ceil(len(self._actions) / self._columns)
        column, row = divmod(number, rows)
        return self._margin + column * self._cell, self._margin + row * self._row

    def _blit(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        piece: UInt8[np.ndarray, "rows columns 3"],
        *,
        left: int,
        top: int,
    ) -> None:
        """Put a line of text into its row, in the middle of its height."""
        top = max(0, top + (self._row - piece.shape[0]) // 2)
        target = picture[top : top + piece.shape[0], left : left + piece.shape[1]]
        target[:] = piece[: target.shape[0], : target.shape[1]]


def _below(values: Float[np.ndarray, "span"], height: int) -> np.ndarray:
    """Which pixels of a curve's box lie under it."""
    rows = np.arange(height)[::-1, None]
    under: np.ndarray = rows < np.round(values * height)[None, :]
    return under


def marks_of(
    labeled: Sequence[tuple[str, int]], detected: Sequence[tuple[str, int]], actions: Sequence[str]
) -> dict[str, Marks]:
    """Ticks by action, from pairs of action and tick."""
    return {
        action: Marks(
            np.array(sorted(tick for name, tick in labeled if name == action), np.int64),
            np.array(sorted(tick for name, tick in detected if name == action), np.int64),
        )
        for action in actions
    }
