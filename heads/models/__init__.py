"""Temporal heads and the stacker that joins one to its encoder."""

from bas.heads.models.base import FeatureRows, Head, SequenceHead, WindowHead
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Output, concatenate_outputs, task_of
from bas.heads.models.stacker import FeatureModel, Stacker, score_features

__all__ = [
    "FeatureModel",
    "FeatureRows",
    "Head",
    "Output",
    "SequenceHead",
    "Stacker",
    "WindowHead",
    "build_head",
    "concatenate_outputs",
    "score_features",
    "task_of",
]
