"""How an analysis is told: a table by class, a line for all, and its part of the report."""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table

from bas import console
from bas.evaluate.analysis import BACKGROUND, FEW, RESAMPLES, Analysis, ClassDetail
from bas.evaluate.bootstrap import BLOCK_SECONDS, FEWEST_BLOCKS
from bas.evaluate.outcomes import Outcome


def show_details(analysis: Analysis, *, name: str) -> None:
    """Print what lies behind the score; `name` is the metric's, as mAP@1."""
    of_all = analysis.interval
    told = [f"95 % of resampled minutes: {100 * of_all.low:.1f} to {100 * of_all.high:.1f}"]
    if analysis.chance is not None:
        told.append(f"chance {100 * analysis.chance:.2f}")
    console.show(f"{name}: {', '.join(told)}", "", _class_table(analysis))
    windows = analysis.windows
    if windows is not None:
        console.show(
            f"windows of 1 s around the {windows.count:,} actions, by their highest score: accuracy "
            f"{_percent(windows.accuracy)}, macro recall {_percent(windows.macro_accuracy)}, precision "
            f"{_percent(windows.macro_precision)}, F1 {_percent(windows.macro_f1)}"
        )
    console.show(
        "mAP by window: " + ", ".join(f"{seconds:g} s {100 * value:.1f}" for seconds, value in analysis.curve)
    )
    if analysis.short:
        console.warn(
            f"{len(analysis.short)} of these games reach less than {FEWEST_BLOCKS} minutes: that is too little to "
            f"resample, and the interval too narrow. {analysis.short[0]} is one."
        )
    if analysis.few:
        console.warn(
            f"Fewer than {FEW} actions of {', '.join(analysis.few)}: their AP says little, and moves the mean all "
            "the same."
        )


def details_document(analysis: Analysis) -> dict[str, Any]:
    """The analysis as JSON; what is not defined, or no finite number, is null."""
    windows = analysis.windows
    return {
        "interval": [analysis.interval.low, analysis.interval.high],
        "interval_of": {
            "resamples": RESAMPLES,
            "block_s": BLOCK_SECONDS,
            "short_games": list(analysis.short),
        },
        "few_ground_truths": list(analysis.few),
        "chance": analysis.chance,
        "at_threshold": {
            "window_s": analysis.seconds,
            "thresholds_of": analysis.thresholds_of,
            "micro": dict(zip(("precision", "recall", "f1"), analysis.micro, strict=True)),
            "macro": dict(zip(("precision", "recall", "f1"), analysis.macro, strict=True)),
            "per_class": {one.label: _class_document(one) for one in analysis.classes},
        },
        "precision_recall": {
            one.label: {"recall": one.recalls.tolist(), "precision": one.precisions.tolist()}
            for one in analysis.classes
        },
        "windows": None
        if windows is None
        else {
            "count": windows.count,
            "micro": dict.fromkeys(("accuracy", "precision", "recall", "f1"), windows.accuracy),
            "macro": {
                "accuracy": windows.macro_accuracy,
                "precision": windows.macro_precision,
                "recall": windows.macro_accuracy,
                "f1": windows.macro_f1,
            },
        },
        "confusion": {
            "classes": [*(one.label for one in analysis.classes), BACKGROUND],
            "actual_by_claimed": analysis.confusion.tolist(),
        },
        "offset_frames": {str(frames): count for frames, count in analysis.offset_frames.items()},
        "tolerance_curve": [{"window_s": seconds, "mAP": value} for seconds, value in analysis.curve],
        "outcomes": [_outcome(one) for one in analysis.outcomes],
    }


def _class_document(one: ClassDetail) -> dict[str, Any]:
    return {
        "threshold": _finite(one.threshold),
        "precision": one.precision,
        "recall": one.recall,
        "f1": one.f1,
        "ground_truths": one.num_spots,
        "detections": one.num_claimed,
    }


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "game": one.game,
        "half": one.half,
        "position_ms": one.position_ms,
        "kind": one.kind,
        "label": one.spot.label if one.spot else None,
        "team": one.spot.team if one.spot else None,
        "claimed": one.claim.label if one.claim else None,
        "claimed_team": one.claim.team if one.claim else None,
        "confidence": _finite(one.claim.confidence) if one.claim else None,
        "offset_ms": one.offset_ms,
    }


def _class_table(analysis: Analysis) -> Table:
    table = console.table(
        f"At the threshold {analysis.thresholds_told}, window {analysis.seconds:g} s",
        "class", "threshold", "precision", "recall", "F1", "most often taken for",
    )  # fmt: skip
    names = [*(one.label for one in analysis.classes), BACKGROUND]
    for k, one in enumerate(analysis.classes):
        others = analysis.confusion[k].copy()
        others[k] = 0
        taken_for = f"{names[int(others.argmax())]} {int(others.max())}" if others.any() else ""
        numbers = (_percent(value) for value in (one.precision, one.recall, one.f1))
        table.add_row(one.label, f"{one.threshold:.3f}", *numbers, taken_for)
    table.add_section()
    table.add_row(
        "all actions alike (micro)", "", *(_percent(value) for value in analysis.micro), style="bold"
    )
    table.add_row(
        "all classes alike (macro)", "", *(_percent(value) for value in analysis.macro), style="bold"
    )
    return table


def _finite(value: float) -> float | None:
    """Anyone's confidences may be infinite; JSON knows no such number."""
    return value if math.isfinite(value) else None


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"
