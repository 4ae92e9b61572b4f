"""The SoccerNet metrics: average precision, Team-mAP, tolerances."""

from bas.evaluate.metric.average_precision import (
    RECALLS,
    THRESHOLDS,
    VECTOR_SECONDS,
    ClassMarks,
    MarkArrays,
    ScoringTimeline,
    average_over_tolerances,
    average_precision,
    build_timeline,
    interpolated_ap,
    match_detections,
    official_frames,
)
from bas.evaluate.metric.team_map import TeamScore, team_score, why_no_teams
from bas.evaluate.metric.timelines import HALVES, half_timelines
from bas.evaluate.metric.tolerance import (
    Tolerance,
    half_window_frames,
    parse_tolerance,
    tolerance_name,
    window_text,
)

__all__ = [
    "HALVES",
    "RECALLS",
    "THRESHOLDS",
    "VECTOR_SECONDS",
    "ClassMarks",
    "MarkArrays",
    "ScoringTimeline",
    "TeamScore",
    "Tolerance",
    "average_over_tolerances",
    "average_precision",
    "build_timeline",
    "half_timelines",
    "half_window_frames",
    "interpolated_ap",
    "match_detections",
    "official_frames",
    "parse_tolerance",
    "team_score",
    "tolerance_name",
    "why_no_teams",
    "window_text",
]
