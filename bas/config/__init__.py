"""Settings of every stage, and how presets and `--set` become them."""

from bas.config.base import Settings, TrainSettings
from bas.config.finetune import AugmentSettings, Chance, FinetuneSettings
from bas.config.presets import STAGES, Stage, load, parse, read_yaml, to_yaml
from bas.config.settings import (
    Blocks3DSettings,
    ClipSettings,
    EventSettings,
    ExtractSettings,
    FitSettings,
    GRUSettings,
    HeadSettings,
    Knot,
    LinearSettings,
    NetVLADSettings,
    PeaksSettings,
    Pipeline,
    Pooling,
    Scoring,
    SGPSettings,
)

__all__ = [
    "STAGES",
    "AugmentSettings",
    "Blocks3DSettings",
    "Chance",
    "ClipSettings",
    "EventSettings",
    "ExtractSettings",
    "FinetuneSettings",
    "FitSettings",
    "GRUSettings",
    "HeadSettings",
    "Knot",
    "LinearSettings",
    "NetVLADSettings",
    "PeaksSettings",
    "Pipeline",
    "Pooling",
    "SGPSettings",
    "Scoring",
    "Settings",
    "Stage",
    "TrainSettings",
    "load",
    "parse",
    "read_yaml",
    "to_yaml",
]
