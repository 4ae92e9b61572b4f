"""Figures of the report as inline SVG; text stays text and takes the color of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bas.evaluate.analysis.analysis import Analysis, ClassDetail

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#010203"  # placeholder for the page's text color, replaced by currentColor in the finished SVG
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


def precision_recall(detail: ClassDetail) -> str:
    """Precision-recall curve of detail class, with its threshold marked."""
    with _SvgFigure(size=(2.4, 1.8)) as drawing:
        axes = drawing.axes
        axes.plot(detail.recalls, detail.precisions, color=_ACCENT, linewidth=1.3)
        axes.plot([detail.recall], [detail.precision], "o", color=_SECOND, markersize=4)
        axes.set_title(detail.label.title(), fontsize=9)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.set(xlabel="recall", ylabel="precision")
    return drawing.svg


def tolerance_curve(analysis: Analysis) -> str:
    """mAP against the tolerance (full window width)."""
    with _SvgFigure(size=(4.2, 2.6)) as drawing:
        axes = drawing.axes
        seconds, values = zip(*analysis.tolerance_curve, strict=True)
        axes.plot(seconds, [100 * value for value in values], "o-", color=_ACCENT, markersize=3)
        axes.set(
            xlabel="tolerance (full window), seconds", ylabel="mAP, percent", ylim=(0, 100), xlim=(0, None)
        )
        axes.axvline(analysis.seconds, color=_SECOND, linewidth=1, linestyle="--")
    return drawing.svg


def offset_histogram(analysis: Analysis) -> str:
    """Histogram of the frames between each hit and its spot."""
    with _SvgFigure(size=(4.2, 2.6)) as drawing:
        axes = drawing.axes
        axes.bar(
            list(analysis.offset_frames), list(analysis.offset_frames.values()), color=_ACCENT, width=0.9
        )
        axes.axvline(0, color=_SECOND, linewidth=1, linestyle="--")
        axes.set(xlabel="frames after the spot", ylabel="hits")
        axes.locator_params(axis="y", integer=True, min_n_ticks=1)
    return drawing.svg


def epoch_curve(records: Sequence[Mapping[str, Any]], key: str, *, name: str, factor: float = 1.0) -> str:
    """One value of the training records against the epoch; a value of None leaves a gap.

    Args:
        records: one record per epoch.
        key: name of the value in each record.
        name: label of the y axis.
        factor: multiplies every value.
    """
    with _SvgFigure(size=(4.2, 2.4)) as drawing:
        axes = drawing.axes
        values = [float("nan") if record[key] is None else factor * record[key] for record in records]
        axes.plot([record["epoch"] for record in records], values, "o-", color=_ACCENT, markersize=3)
        axes.set(xlabel="epoch", ylabel=name)
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    return drawing.svg


class _SvgFigure:
    """Context manager around one matplotlib figure: `axes` inside the block, `svg` after it."""

    svg: str

    def __init__(self, *, size: tuple[float, float]) -> None:
        self._size = size

    def __enter__(self) -> _SvgFigure:  # noqa: PYI034  (beartype does not resolve Self here)
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self._context = mpl.rc_context(_STYLE)
        self._context.__enter__()
        self._figure = Figure(figsize=self._size)
        FigureCanvasSVG(self._figure)
        height = self._size[1]
        margins = {"left": 0.19, "right": 0.96, "bottom": 0.45 / height, "top": 1 - 0.25 / height}
        self.axes: Axes = self._figure.subplots(
            gridspec_kw=margins
        )  # fixed, because a layout engine draws the figure twice
        return self

    def __exit__(self, *error: object) -> None:
        memory = io.StringIO()
        if error[0] is None:
            self._figure.savefig(memory, format="svg", transparent=True, metadata={"Date": None})
        self._context.__exit__(None, None, None)
        self.svg = _inlined(memory.getvalue())


def _inlined(text: str) -> str:
    """An SVG stripped of its prologue, metadata and fixed size, so that it can be inlined and scales with the page."""
    text = re.sub(r"^.*?(?=<svg)", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace(_INK, "currentColor")
