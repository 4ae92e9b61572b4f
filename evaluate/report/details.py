"""Terminal tables of an analysis, and its part of report.json."""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table

from bas import console
from bas.dataset.games import listing
from bas.evaluate.analysis.analysis import BACKGROUND, MIN_SPOTS, RESAMPLES, Analysis, ClassDetail
from bas.evaluate.analysis.bootstrap import BLOCK_SECONDS, MIN_BLOCKS
from bas.evaluate.analysis.outcomes import Outcome


def print_analysis(analysis: Analysis, *, name: str) -> None:
    """Print interval, chance baseline, class table, window accuracy and tolerance curve, then the warnings.

    Args:
        analysis: what to print.
        name: name of the metric, such as mAP@1.
    """
    interval = analysis.interval
    parts = [f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} (bootstrap over minutes)"]
    if analysis.chance is not None:
        parts.append(f"chance {100 * analysis.chance:.2f}")
    console.show(f"{name}: {', '.join(parts)}", "", _threshold_table(analysis))
    windows = analysis.window_accuracy
    if windows is not None:
        console.show(
            f"highest score in 1 s windows around the {windows.count:,} spots: accuracy "
            f"{_percent(windows.accuracy)}, macro recall {_percent(windows.macro_accuracy)}, precision "
            f"{_percent(windows.macro_precision)}, F1 {_percent(windows.macro_f1)}"
        )
    console.show(
        "mAP by tolerance: "
        + ", ".join(f"{seconds:g} s {100 * value:.1f}" for seconds, value in analysis.tolerance_curve)
    )
    if analysis.short_games:
        console.warn(
            f"Games shorter than {MIN_BLOCKS} minutes cannot be resampled, so the interval is too narrow: "
            f"{listing(analysis.short_games, shown=3)}."
        )
    if analysis.rare_classes:
        console.warn(
            f"Fewer than {MIN_SPOTS} spots of {', '.join(analysis.rare_classes)}: their AP is unreliable, yet counts "
            "fully in the mean."
        )


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    """The analysis as JSON-compatible values; an undefined or infinite number becomes null."""
    windows = analysis.window_accuracy
    return {
        "interval": [analysis.interval.low, analysis.interval.high],
        "interval_of": {
            "resamples": RESAMPLES,
            "block_s": BLOCK_SECONDS,
            "short_games": list(analysis.short_games),
        },
        "few_ground_truths": list(analysis.rare_classes),
        "chance": analysis.chance,
        "at_threshold": {
            "window_s": analysis.seconds,
            "thresholds_of": analysis.threshold_source,
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
        "tolerance_curve": [
            {"window_s": seconds, "mAP": value} for seconds, value in analysis.tolerance_curve
        ],
        "outcomes": [_outcome(one) for one in analysis.outcomes],
    }


def _class_document(detail: ClassDetail) -> dict[str, Any]:
    return {
        "threshold": _finite_or_none(detail.threshold),
        "precision": detail.precision,
        "recall": detail.recall,
        "f1": detail.f1,
        "ground_truths": detail.num_spots,
        "detections": detail.num_detections,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "game": outcome.game,
        "half": outcome.half,
        "position_ms": outcome.position_ms,
        "kind": outcome.kind,
        "label": outcome.spot.label if outcome.spot else None,
        "team": outcome.spot.team if outcome.spot else None,
        "claimed": outcome.detection.label if outcome.detection else None,
        "claimed_team": outcome.detection.team if outcome.detection else None,
        "confidence": _finite_or_none(outcome.detection.confidence) if outcome.detection else None,
        "offset_ms": outcome.offset_ms,
    }


def _threshold_table(analysis: Analysis) -> Table:
    table = console.table(
        f"At the threshold {analysis.threshold_description}, tolerance {analysis.seconds:g} s",
        "class", "threshold", "precision", "recall", "F1", "most often confused with",
    )  # fmt: skip
    names = [*(one.label for one in analysis.classes), BACKGROUND]
    for k, one in enumerate(analysis.classes):
        others = analysis.confusion[k].copy()
        others[k] = 0  # the diagonal counts hits; what is left are confusions and, in the last column, misses
        confused_with = f"{names[int(others.argmax())]} {int(others.max())}" if others.any() else ""
        numbers = (_percent(value) for value in (one.precision, one.recall, one.f1))
        table.add_row(one.label, f"{one.threshold:.3f}", *numbers, confused_with)
    table.add_section()
    table.add_row(
        "all spots (micro average)", "", *(_percent(value) for value in analysis.micro), style="bold"
    )
    table.add_row(
        "annotated classes (macro average)", "", *(_percent(value) for value in analysis.macro), style="bold"
    )
    return table


def _finite_or_none(value: float) -> float | None:
    """Replace infinities and NaN, which third-party confidences may hold and JSON cannot express."""
    return value if math.isfinite(value) else None


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"
