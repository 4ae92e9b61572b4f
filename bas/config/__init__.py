"""Settings of every stage, presets, and `--set`."""

from bas.config.base import Settings, TrainSettings
from bas.config.finetune import AugmentSettings, FinetuneSettings, RandomTransform
from bas.config.pipeline import (
    Blocks3DSettings,
    CalibrationPoint,
    ClipSettings,
    EventSettings,
    ExtractSettings,
    FitSettings,
    GRUSettings,
    HeadSettings,
    LinearSettings,
    NetVLADSettings,
    PeaksSettings,
    Pipeline,
    Pooling,
    Scoring,
    SGPSettings,
)
from bas.config.presets import STAGES, Stage, load, parse, read_yaml, to_yaml
from bas.config.renamed import upgrade

__all__ = [
    "STAGES",
    "AugmentSettings",
    "Blocks3DSettings",
    "CalibrationPoint",
    "ClipSettings",
    "EventSettings",
    "ExtractSettings",
    "FinetuneSettings",
    "FitSettings",
    "GRUSettings",
    "HeadSettings",
    "LinearSettings",
    "NetVLADSettings",
    "PeaksSettings",
    "Pipeline",
    "Pooling",
    "RandomTransform",
    "SGPSettings",
    "Scoring",
    "Settings",
    "Stage",
    "TrainSettings",
    "load",
    "parse",
    "read_yaml",
    "to_yaml",
    "upgrade",
]
