"""Post-processing of scores to detections, and its search."""

from bas.evaluate.postprocess.detections import detect, detect_games
from bas.evaluate.postprocess.objective import action_ap, action_scores
from bas.evaluate.postprocess.search import Tuning, describe_settings, show_tuning, tune
from bas.evaluate.postprocess.thresholds import threshold_curve

__all__ = [
    "Tuning",
    "action_ap",
    "action_scores",
    "describe_settings",
    "detect",
    "detect_games",
    "show_tuning",
    "threshold_curve",
    "tune",
]
