"""Figures of a report as SVG that lies in the page: text stays text, and takes the page's color."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from bas.evaluate.analysis import BACKGROUND, Analysis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#010203"  # stands for the page's own color until the SVG is written
_ACCENT, _SECOND = "#2f7ed8", "#e0873a"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bas",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}


def precision_recall(analysis: Analysis) -> str:
    """A small plot a class, its best threshold marked."""
    columns = 4
    rows = -(-len(analysis.classes) // columns)
    with _Drawing(rows, columns, size=(8.4, 1.75 * rows), share=True) as drawing:
        for axes, one in zip(drawing.axes, analysis.classes, strict=False):
            axes.plot(one.recalls, one.precisions, color=_ACCENT, linewidth=1.3)
            axes.plot([one.recall], [one.precision], "o", color=_SECOND, markersize=4)
            axes.set_title(one.label.title(), fontsize=8)
            axes.set(xlim=(0, 1), ylim=(0, 1.03), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        for axes in drawing.axes[len(analysis.classes) :]:
            axes.set_visible(False)
        drawing.figure.supxlabel("recall", fontsize=9)
        drawing.figure.supylabel("precision", fontsize=9)
    return drawing.svg


def tolerance_curve(analysis: Analysis) -> str:
    """mAP against the width of the window."""
    with _Drawing(1, 1, size=(4.2, 2.6)) as drawing:
        (axes,) = drawing.axes
        seconds, values = zip(*analysis.curve, strict=True)
        axes.plot(seconds, [100 * value for value in values], "o-", color=_ACCENT, markersize=3)
        axes.set(xlabel="whole window, seconds", ylabel="mAP, percent", ylim=(0, 100), xlim=(0, None))
        axes.axvline(analysis.seconds, color=_SECOND, linewidth=1, linestyle="--")
    return drawing.svg


def offsets(analysis: Analysis) -> str:
    """How far claims lie from their actions."""
    with _Drawing(1, 1, size=(4.2, 2.6)) as drawing:
        (axes,) = drawing.axes
        axes.bar(
            list(analysis.offset_frames), list(analysis.offset_frames.values()), color=_ACCENT, width=0.9
        )
        axes.axvline(0, color=_SECOND, linewidth=1, linestyle="--")
        axes.set(xlabel="frames after the action", ylabel="actions found")
    return drawing.svg


def confusion(analysis: Analysis) -> str:
    """Actions by claims; shades are shares of the row."""
    names = [*(one.label.title() for one in analysis.classes), BACKGROUND]
    table = analysis.confusion
    shares = table / table.sum(axis=1, keepdims=True).clip(1)
    side = 0.42 * len(names) + 1.9
    with _Drawing(1, 1, size=(side + 0.6, side)) as drawing:
        (axes,) = drawing.axes
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, alpha=0.85)
        for row, column in zip(*table.nonzero(), strict=True):
            color = "white" if shares[row, column] > 0.5 else _INK if shares[row, column] < 0.15 else "black"
            axes.text(column, row, str(table[row, column]), ha="center", va="center", fontsize=7, color=color)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.set(xlabel="claimed", ylabel="annotated")
    return drawing.svg


def training(records: Sequence[Mapping[str, Any]]) -> str:
    """Loss and validation score by epoch."""
    epochs = [record["epoch"] for record in records]
    with _Drawing(1, 2, size=(8.4, 2.4)) as drawing:
        left, right = drawing.axes
        left.plot(epochs, [record["loss"] for record in records], "o-", color=_ACCENT, markersize=3)
        left.set(xlabel="epoch", ylabel="training loss")
        scores = [record["mAP@1"] for record in records]
        right.plot(
            epochs,
            [float("nan") if score is None else 100 * score for score in scores],
            "o-",
            color=_ACCENT,
            markersize=3,
        )
        right.set(xlabel="epoch", ylabel="validation mAP@1, percent")
    return drawing.svg


class _Drawing:
    """A figure while it is drawn; its SVG afterwards."""

    svg: str

    def __init__(self, rows: int, columns: int, *, size: tuple[float, float], share: bool = False) -> None:
        self._shape, self._size, self._share = (rows, columns), size, share

    def __enter__(self) -> Self:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self._context = mpl.rc_context(_STYLE)
        self._context.__enter__()
        self.figure: Figure = Figure(figsize=self._size, layout="constrained")
        FigureCanvasSVG(self.figure)
        grid = self.figure.subplots(*self._shape, squeeze=False, sharex=self._share, sharey=self._share)
        self.axes: list[Axes] = list(grid.flat)
        return self

    def __exit__(self, *error: object) -> None:
        memory = io.StringIO()
        if error[0] is None:
            self.figure.savefig(memory, format="svg", transparent=True, metadata={"Date": None})
        self._context.__exit__(None, None, None)
        self.svg = _inlined(memory.getvalue())


def _inlined(text: str) -> str:
    """An SVG without its prologue, that grows with the page."""
    text = re.sub(r"^.*?(?=<svg)", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace(_INK, "currentColor")
