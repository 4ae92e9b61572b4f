"""Settings of every stage, presets, and `--set`."""

from bas.config.base import Settings, TrainSettings
from bas.config.finetune import AugmentSettings, FinetuneSettings, RandomTransform
from bas.config.pipeline import (
    Blocks3DSettings,
    CalibrationPoint,
    ClipSettings,
    DetectionSettings,
    ExtractSettings,
    FitSettings,
    GRUSettings,
    HeadSettings,
    LinearSettings,
    NetVLADSettings,
    Pipeline,
    Pooling,
    PostprocessSettings,
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
    "DetectionSettings",
    "ExtractSettings",
    "FinetuneSettings",
    "FitSettings",
    "GRUSettings",
    "HeadSettings",
    "LinearSettings",
    "NetVLADSettings",
    "Pipeline",
    "Pooling",
    "PostprocessSettings",
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
