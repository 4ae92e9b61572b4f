"""Settings of every stage, presets, and `--set`."""

from bas.config.base import Settings, TrainSettings
from bas.config.extract import ExtractSettings
from bas.config.finetune import AugmentSettings, FinetuneSettings, RandomTransform
from bas.config.fit import FitSettings
from bas.config.heads import (
    Blocks3DSettings,
    ClipSettings,
    GRUSettings,
    HeadSettings,
    LinearSettings,
    NetVLADSettings,
    Pooling,
    Scoring,
    SGPSettings,
)
from bas.config.pipeline import Pipeline
from bas.config.postprocess import CalibrationPoint, DetectionSettings, PostprocessSettings
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
