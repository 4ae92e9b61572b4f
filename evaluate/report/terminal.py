"""Terminal tables of an evaluation, and the JSON document behind report.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bas import console, files
from bas.evaluate.analysis.analysis import BACKGROUND, MIN_SPOTS, Analysis, ClassDetail
from bas.evaluate.analysis.bootstrap import BLOCK_SECONDS, MIN_BLOCKS
from bas.evaluate.analysis.outcomes import Outcome
from bas.evaluate.metric.team_map import TeamScore
from bas.evaluate.metric.tolerance import half_window_frames, tolerance_name, window_text
from bas.evaluate.scoring.score import Evaluation
from bas.messages import counted, listing, percent

FORMAT = 2
"""Version of report.json."""


def print_evaluation(evaluation: Evaluation, *, split: str | None = None) -> None:
    """Print the header line, the table of AP per class, the Team-mAP table if there are teams, and the notes."""
    name = tolerance_name(evaluation.tolerances)
    of_split = f" of {split}" if split else ""
    console.show(
        f"{counted(len(evaluation.games), 'match')}{of_split}, "
        f"{counted(len(evaluation.class_names), 'class')}, "
        f"tolerance {window_text(evaluation.tolerances, framerate=evaluation.framerate)}",
        _ap_table(evaluation, name=name),
    )
    if evaluation.teams:
        console.show(_team_table(evaluation.teams, name=name))
    for note in evaluation.notes:
        console.info(f"note: {note}")


def write_report(
    path: Path, evaluation: Evaluation, analysis: Analysis | None = None, *, split: str | None = None
) -> None:
    """Write `report_document` to a file."""
    files.write_json(path, report_document(evaluation, analysis, split=split))
    console.info(f"report: {path}")


def print_analysis(analysis: Analysis, *, tolerances: Sequence[float]) -> None:
    """Print interval, chance baseline, class table, window accuracy and tolerance curve, then the warnings.

    Args:
        analysis: what to print.
        tolerances: those of the evaluation.
    """
    parts = []
    if analysis.interval is not None:
        low, high = analysis.interval.low, analysis.interval.high
        parts.append(f"95 % interval {percent(low, 1)} to {percent(high, 1)} (bootstrap over minutes)")
    if analysis.chance is not None:
        parts.append(f"chance {percent(analysis.chance)}")
    if parts:
        console.show(f"mAP@{tolerance_name(tolerances)}: {', '.join(parts)}", "")
    console.show(_threshold_table(analysis))
    windows = analysis.window_accuracy
    if windows is not None:
        console.show(
            f"highest score in 1 s windows around {counted(windows.count, 'spot')}: accuracy "
            f"{percent(windows.accuracy)}, macro recall {percent(windows.macro_accuracy)}, precision "
            f"{percent(windows.macro_precision)}, F1 {percent(windows.macro_f1)}"
        )
    console.show(
        "mAP by tolerance: "
        + ", ".join(f"{seconds:g} s {percent(value, 1)}" for seconds, value in analysis.tolerance_curve)
    )
    if analysis.interval is not None and analysis.short_games:
        console.warn(
            f"Games shorter than {MIN_BLOCKS} minutes cannot be resampled, so the interval is too narrow: "
            f"{listing(analysis.short_games, shown=3)}."
        )
    if analysis.rare_classes:
        console.warn(
            f"Fewer than {MIN_SPOTS} spots of {', '.join(analysis.rare_classes)}: their AP is unreliable, yet counts "
            "fully in the mean."
        )


def report_document(
    evaluation: Evaluation, analysis: Analysis | None = None, *, split: str | None = None
) -> dict[str, Any]:
    """The evaluation and its analysis as JSON-compatible values; an undefined or infinite number becomes null."""
    tolerances, framerate = evaluation.tolerances, evaluation.framerate
    return {
        "format": FORMAT,
        "tolerances_s": list(tolerances),
        "window_frames": [half_window_frames(seconds, framerate=framerate) for seconds in tolerances],
        "fps": framerate,
        "split": split,
        "games": list(evaluation.games),
        "mAP": _finite_or_none(evaluation.mean_ap),
        "mAP_visible": _finite_or_none(evaluation.mean_ap_visible),
        "mAP_unshown": _finite_or_none(evaluation.mean_ap_unshown),
        "mAP_exact": _finite_or_none(evaluation.mean_ap_exact),
        "mAP_occurring": _finite_or_none(evaluation.mean_ap_occurring),
        "per_class": {
            row.label: {
                "AP": _finite_or_none(row.ap),
                "AP_visible": _finite_or_none(row.ap_visible),
                "AP_unshown": _finite_or_none(row.ap_unshown),
                "AP_exact": _finite_or_none(row.ap_exact),
                "ground_truths": row.num_spots,
                "detections": row.num_detections,
            }
            for row in evaluation.classes
        },
        "teams": _team_document(evaluation.teams) if evaluation.teams else None,
        "notes": list(evaluation.notes),
        **(analysis_document(analysis) if analysis is not None else {}),
    }


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    """The analysis as JSON-compatible values; an undefined or infinite number becomes null."""
    windows = analysis.window_accuracy
    return {
        "interval": None if analysis.interval is None else [analysis.interval.low, analysis.interval.high],
        "interval_of": {
            "resamples": analysis.resamples,
            "block_s": BLOCK_SECONDS,
            "short_games": list(analysis.short_games),
        },
        "few_ground_truths": list(analysis.rare_classes),
        "chance": analysis.chance,
        "at_threshold": {
            "window_s": analysis.seconds,
            "threshold_source": analysis.threshold_source,
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
            "annotated_by_detected": analysis.confusion.tolist(),
        },
        "offset_frames": {str(frames): count for frames, count in analysis.offset_frames.items()},
        "tolerance_curve": [
            {"window_s": seconds, "mAP": value} for seconds, value in analysis.tolerance_curve
        ],
        "outcomes": [_outcome(one) for one in analysis.outcomes],
    }


def _team_document(teams: TeamScore) -> dict[str, Any]:
    return {
        "mAP": _finite_or_none(teams.mean_ap),
        "mAP_visible": _finite_or_none(teams.mean_ap_visible),
        "mAP_unshown": _finite_or_none(teams.mean_ap_unshown),
        "mAP_defined": _finite_or_none(teams.mean_ap_defined),
        "per_class": {
            row.label: {
                "AP": _finite_or_none(row.ap),
                "AP_visible": _finite_or_none(row.ap_visible),
                "AP_unshown": _finite_or_none(row.ap_unshown),
                "ground_truths_left": row.num_left,
                "ground_truths_right": row.num_right,
            }
            for row in teams.actions
        },
    }


def _ap_table(evaluation: Evaluation, *, name: str) -> Table:
    by_visibility = ("visible", "unshown") if evaluation.num_unshown else ()
    table = console.table(f"mAP@{name}", "class", "AP", *by_visibility, "AP exact", "spots", "detections")
    for row in evaluation.classes:
        table.add_row(
            row.label,
            percent(row.ap),
            *(map(percent, (row.ap_visible, row.ap_unshown)) if by_visibility else ()),
            percent(row.ap_exact),
            f"{row.num_spots:,}",
            f"{row.num_detections:,}",
        )
    num_spots = sum(row.num_spots for row in evaluation.classes)
    num_detections = sum(row.num_detections for row in evaluation.classes)
    table.add_section()
    table.add_row(
        f"mAP@{name}",
        percent(evaluation.mean_ap),
        *(map(percent, (evaluation.mean_ap_visible, evaluation.mean_ap_unshown)) if by_visibility else ()),
        percent(evaluation.mean_ap_exact),
        f"{num_spots:,}",
        f"{num_detections:,}",
        style="bold",
    )
    occurring = sum(row.num_spots > 0 for row in evaluation.classes)
    if occurring < len(evaluation.classes):
        table.add_row(
            f"mean over the {counted(occurring, 'annotated class')}",
            percent(evaluation.mean_ap_occurring),
        )
    return table


def _team_table(teams: TeamScore, *, name: str) -> Table:
    table = console.table(f"Team-mAP@{name}", "action", "AP", "left", "right")
    for row in teams.actions:
        table.add_row(row.label, percent(row.ap), f"{row.num_left:,}", f"{row.num_right:,}")
    table.add_section()
    table.add_row(f"Team-mAP@{name}", percent(teams.mean_ap), style="bold")
    if math.isnan(teams.mean_ap):  # the official mean is NaN as soon as one action never occurs
        occurring = sum(not math.isnan(row.ap) for row in teams.actions)
        table.add_row(
            f"mean over the {counted(occurring, 'annotated action')}", percent(teams.mean_ap_defined)
        )
    return table


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
        "detected": outcome.detection.label if outcome.detection else None,
        "detected_team": outcome.detection.team if outcome.detection else None,
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
        numbers = map(percent, (one.precision, one.recall, one.f1))
        table.add_row(one.label, f"{one.threshold:.3f}", *numbers, confused_with)
    table.add_section()
    table.add_row("all spots (micro average)", "", *map(percent, analysis.micro), style="bold")
    table.add_row("annotated classes (macro average)", "", *map(percent, analysis.macro), style="bold")
    return table


def _finite_or_none(value: float) -> float | None:
    """Replace infinities and NaN, which third-party confidences may hold and JSON cannot express."""
    return value if math.isfinite(value) else None
