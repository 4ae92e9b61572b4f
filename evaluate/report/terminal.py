"""Terminal tables of an evaluation, and the JSON document behind report.json."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rich.table import Table

from bas import console, files
from bas.evaluate.metric.team_map import TeamScore
from bas.evaluate.metric.tolerance import half_window_frames, tolerance_name, window_text
from bas.evaluate.scoring.score import Evaluation

FORMAT = 2
"""Version of report.json."""


def print_evaluation(evaluation: Evaluation, *, split: str | None = None) -> None:
    """Print the header line, the table of AP per class, the Team-mAP table if there are teams, and the notes."""
    name = tolerance_name(evaluation.tolerances)
    num_games = len(evaluation.games)
    of_split = f" of {split}" if split else ""
    console.show(
        f"{num_games} game{'s' if num_games > 1 else ''}{of_split}, {len(evaluation.class_names)} classes, "
        f"tolerance {window_text(evaluation.tolerances, framerate=evaluation.framerate)}",
        _ap_table(evaluation, name=name),
    )
    if evaluation.teams:
        console.show(_team_table(evaluation.teams, name=name))
    for note in evaluation.notes:
        console.info(f"note: {note}")


def write_report(path: Path, evaluation: Evaluation, *, split: str | None = None) -> None:
    """Write `report_document` to a file."""
    files.write_json(path, report_document(evaluation, split=split))


def report_document(evaluation: Evaluation, *, split: str | None = None) -> dict[str, Any]:
    """The evaluation as JSON-compatible values; an undefined number (NaN) becomes null."""
    tolerances, framerate = evaluation.tolerances, evaluation.framerate
    return {
        "format": FORMAT,
        "tolerances_s": list(tolerances),
        "window_frames": [half_window_frames(seconds, framerate=framerate) for seconds in tolerances],
        "fps": framerate,
        "split": split,
        "games": list(evaluation.games),
        "mAP": _nan_to_none(evaluation.mean_ap),
        "mAP_visible": _nan_to_none(evaluation.mean_ap_visible),
        "mAP_unshown": _nan_to_none(evaluation.mean_ap_unshown),
        "mAP_exact": _nan_to_none(evaluation.mean_ap_exact),
        "mAP_occurring": _nan_to_none(evaluation.mean_ap_occurring),
        "per_class": {
            row.label: {
                "AP": _nan_to_none(row.ap),
                "AP_visible": _nan_to_none(row.ap_visible),
                "AP_unshown": _nan_to_none(row.ap_unshown),
                "AP_exact": _nan_to_none(row.ap_exact),
                "ground_truths": row.num_spots,
                "detections": row.num_detections,
            }
            for row in evaluation.classes
        },
        "teams": _team_document(evaluation.teams) if evaluation.teams else None,
        "notes": list(evaluation.notes),
    }


def _team_document(teams: TeamScore) -> dict[str, Any]:
    return {
        "mAP": _nan_to_none(teams.mean_ap),
        "mAP_visible": _nan_to_none(teams.mean_ap_visible),
        "mAP_unshown": _nan_to_none(teams.mean_ap_unshown),
        "mAP_defined": _nan_to_none(teams.mean_ap_defined),
        "per_class": {
            row.label: {
                "AP": _nan_to_none(row.ap),
                "AP_visible": _nan_to_none(row.ap_visible),
                "AP_unshown": _nan_to_none(row.ap_unshown),
                "ground_truths_left": row.num_left,
                "ground_truths_right": row.num_right,
            }
            for row in teams.actions
        },
    }


def _ap_table(evaluation: Evaluation, *, name: str) -> Table:
    table = console.table(f"mAP@{name}", "class", "AP", "AP exact", "ground truths", "detections")
    for row in evaluation.classes:
        table.add_row(
            row.label,
            _percent_or_undefined(row.ap),
            _percent_or_undefined(row.ap_exact),
            f"{row.num_spots:,}",
            f"{row.num_detections:,}",
        )
    num_spots = sum(row.num_spots for row in evaluation.classes)
    num_detections = sum(row.num_detections for row in evaluation.classes)
    table.add_section()
    table.add_row(
        f"mAP@{name}",
        _percent_or_undefined(evaluation.mean_ap),
        _percent_or_undefined(evaluation.mean_ap_exact),
        f"{num_spots:,}",
        f"{num_detections:,}",
        style="bold",
    )
    occurring = sum(row.num_spots > 0 for row in evaluation.classes)
    if occurring < len(evaluation.classes):
        table.add_row(
            f"mean over the {occurring} annotated classes",
            _percent_or_undefined(evaluation.mean_ap_occurring),
        )
    return table


def _team_table(teams: TeamScore, *, name: str) -> Table:
    table = console.table(f"Team-mAP@{name}", "action", "AP", "left", "right")
    for row in teams.actions:
        table.add_row(row.label, _percent_or_undefined(row.ap), f"{row.num_left:,}", f"{row.num_right:,}")
    table.add_section()
    table.add_row(f"Team-mAP@{name}", _percent_or_undefined(teams.mean_ap), style="bold")
    if math.isnan(teams.mean_ap):  # the official mean is NaN as soon as one action never occurs
        occurring = sum(not math.isnan(row.ap) for row in teams.actions)
        table.add_row(
            f"mean over the {occurring} annotated actions", _percent_or_undefined(teams.mean_ap_defined)
        )
    return table


def _percent_or_undefined(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{100 * value:.2f}"


def _nan_to_none(value: float) -> float | None:
    return None if math.isnan(value) else value
