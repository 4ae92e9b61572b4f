"""Terminal tables of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from bas import console, files
from bas.evaluate.analysis.analysis import BACKGROUND, MIN_SPOTS, Analysis
from bas.evaluate.analysis.bootstrap import MIN_BLOCKS
from bas.evaluate.metric.team_map import TeamScore
from bas.evaluate.metric.tolerance import tolerance_name, window_text
from bas.evaluate.report.document import report_document
from bas.evaluate.scoring.score import Evaluation
from bas.messages import counted, listing, percent


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
