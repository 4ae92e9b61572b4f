"""The evaluation as `report.json`."""

from __future__ import annotations

import math
from typing import Any

from bas.evaluate.analysis.analysis import BACKGROUND, Analysis, ClassDetail
from bas.evaluate.analysis.bootstrap import BLOCK_SECONDS
from bas.evaluate.analysis.outcomes import Outcome
from bas.evaluate.metric.team_map import TeamScore
from bas.evaluate.metric.tolerance import half_window_frames
from bas.evaluate.scoring.score import Evaluation

FORMAT = 2
"""Version of report.json."""


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


def _finite_or_none(value: float) -> float | None:
    """Replace infinities and NaN, which third-party confidences may hold and JSON cannot express."""
    return value if math.isfinite(value) else None
