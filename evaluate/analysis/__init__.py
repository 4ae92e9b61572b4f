"""Numbers beside the official score."""

from bas.evaluate.analysis.analysis import BACKGROUND, MIN_SPOTS, RESAMPLES, Analysis, ClassDetail, analyze
from bas.evaluate.analysis.bootstrap import (
    BLOCK_SECONDS,
    MIN_BLOCKS,
    Interval,
    percentile_interval,
    resampled_mean_ap,
)
from bas.evaluate.analysis.chance_baseline import chance_baseline
from bas.evaluate.analysis.outcomes import Kind, Outcome, match_outcomes, peak_score, worst_mistakes

__all__ = [
    "BACKGROUND",
    "BLOCK_SECONDS",
    "MIN_BLOCKS",
    "MIN_SPOTS",
    "RESAMPLES",
    "Analysis",
    "ClassDetail",
    "Interval",
    "Kind",
    "Outcome",
    "analyze",
    "chance_baseline",
    "match_outcomes",
    "peak_score",
    "percentile_interval",
    "resampled_mean_ap",
    "worst_mistakes",
]
