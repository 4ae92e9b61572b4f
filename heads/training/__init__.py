"""Training of a head on cached feature rows (stage 2)."""

from bas.heads.training.annotated_games import (
    CachedGames,
    load_cached_games,
    open_timelines,
    readable_games,
    spots_of,
)
from bas.heads.training.losses import head_loss
from bas.heads.training.optimizer import TrainingOptimizer, deterministic_on_cpu, parameter_groups
from bas.heads.training.sampling import draw_rows, jitter_steps
from bas.heads.training.targets import TargetBatch, Targets, target_batch
from bas.heads.training.trainer import best_epoch, fit_head
from bas.heads.training.training_set import (
    TrainingSet,
    build_training_set,
    out_of_fold_file,
    targets_and_probabilities,
)
from bas.heads.training.validation import Validation, score_cached
from bas.heads.training.warm_start import matching_tensors, model_file, warm_start

__all__ = [
    "CachedGames",
    "TargetBatch",
    "Targets",
    "TrainingOptimizer",
    "TrainingSet",
    "Validation",
    "best_epoch",
    "build_training_set",
    "deterministic_on_cpu",
    "draw_rows",
    "fit_head",
    "head_loss",
    "jitter_steps",
    "load_cached_games",
    "matching_tensors",
    "model_file",
    "open_timelines",
    "out_of_fold_file",
    "parameter_groups",
    "readable_games",
    "score_cached",
    "spots_of",
    "target_batch",
    "targets_and_probabilities",
    "warm_start",
]
