"""How an evaluation is told: tables on the terminal, and a JSON document."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rich.table import Table

from bas import console, files
from bas.evaluate.score import Evaluation
from bas.evaluate.teams import TeamScore
from bas.evaluate.tolerance import reach_frames, tolerance_name, window_text


def show(evaluation: Evaluation, *, split: str | None = None) -> None:
    """Print what was scored, a table by class, one by team where there are teams, and the notes."""
    name = tolerance_name(evaluation.tolerances)
    num_games = len(evaluation.games)
    of_split = f" of {split}" if split else ""
    console.show(
        f"{num_games} game{'s' if num_games > 1 else ''}{of_split}, {len(evaluation.classes)} classes, "
        f"window {window_text(evaluation.tolerances, framerate=evaluation.framerate)}",
        _class_table(evaluation, name=name),
    )
    if evaluation.teams:
        console.show(_team_table(evaluation.teams, name=name))
    for note in evaluation.notes:
        console.say(f"note: {note}")


def write_report(path: Path, evaluation: Evaluation, *, split: str | None = None) -> None:
    """Write `report_document` to a file."""
    files.write_json(path, report_document(evaluation, split=split))


def report_document(evaluation: Evaluation, *, split: str | None = None) -> dict[str, Any]:
    """The evaluation as JSON; what is not defined is null."""
    tolerances, framerate = evaluation.tolerances, evaluation.framerate
    return {
        "tolerances_s": list(tolerances),
        "window_frames": [reach_frames(seconds, framerate=framerate) for seconds in tolerances],
        "fps": framerate,
        "split": split,
        "games": list(evaluation.games),
        "mAP": _number(evaluation.mean_ap),
        "mAP_visible": _number(evaluation.mean_ap_visible),
        "mAP_unshown": _number(evaluation.mean_ap_unshown),
        "mAP_exact": _number(evaluation.mean_ap_exact),
        "mAP_occurring": _number(evaluation.mean_ap_occurring),
        "per_class": {
            row.label: {
                "AP": _number(row.ap),
                "AP_visible": _number(row.ap_visible),
                "AP_unshown": _number(row.ap_unshown),
                "AP_exact": _number(row.ap_exact),
                "ground_truths": row.num_spots,
                "detections": row.num_detections,
            }
            for row in evaluation.rows
        },
        "teams": _team_document(evaluation.teams) if evaluation.teams else None,
        "notes": list(evaluation.notes),
    }


def _team_document(teams: TeamScore) -> dict[str, Any]:
    return {
        "mAP": _number(teams.mean_ap),
        "mAP_visible": _number(teams.mean_ap_visible),
        "mAP_unshown": _number(teams.mean_ap_unshown),
        "mAP_defined": _number(teams.mean_ap_defined),
        "per_class": {
            row.label: {
                "AP": _number(row.ap),
                "AP_visible": _number(row.ap_visible),
                "AP_unshown": _number(row.ap_unshown),
                "ground_truths_left": row.num_left,
                "ground_truths_right": row.num_right,
            }
            for row in teams.rows
        },
    }


def _class_table(evaluation: Evaluation, *, name: str) -> Table:
    table = console.table(f"mAP@{name}", "class", "AP", "AP exact", "ground truths", "detections")
    for row in evaluation.rows:
        table.add_row(
            row.label,
            _percent(row.ap),
            _percent(row.ap_exact),
            f"{row.num_spots:,}",
            f"{row.num_detections:,}",
        )
    num_spots = sum(row.num_spots for row in evaluation.rows)
    num_detections = sum(row.num_detections for row in evaluation.rows)
    table.add_section()
    table.add_row(
        f"mAP@{name}",
        _percent(evaluation.mean_ap),
        _percent(evaluation.mean_ap_exact),
        f"{num_spots:,}",
        f"{num_detections:,}",
        style="bold",
    )
    occurring = sum(row.num_spots > 0 for row in evaluation.rows)
    if occurring < len(evaluation.rows):
        table.add_row(f"over the {occurring} classes that occur", _percent(evaluation.mean_ap_occurring))
    return table


def _team_table(teams: TeamScore, *, name: str) -> Table:
    table = console.table(f"Team-mAP@{name}", "action", "AP", "left", "right")
    for row in teams.rows:
        table.add_row(row.label, _percent(row.ap), f"{row.num_left:,}", f"{row.num_right:,}")
    table.add_section()
    table.add_row(f"Team-mAP@{name}", _percent(teams.mean_ap), style="bold")
    if math.isnan(teams.mean_ap):
        occurring = sum(not math.isnan(row.ap) for row in teams.rows)
        table.add_row(f"over the {occurring} actions that occur", _percent(teams.mean_ap_defined))
    return table


def _percent(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{100 * value:.2f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
