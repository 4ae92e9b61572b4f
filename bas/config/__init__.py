"""Settings of every stage, and how presets and `--set` become them."""

from bas.config.presets import STAGES, Stage, load, parse, read_yaml, to_yaml
from bas.config.settings import (
    Blocks3DSettings,
    ClipSettings,
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

__all__ = [
    "STAGES",
    "Blocks3DSettings",
    "ClipSettings",
    "ExtractSettings",
    "FitSettings",
    "GRUSettings",
    "HeadSettings",
    "LinearSettings",
    "NetVLADSettings",
    "PeaksSettings",
    "Pipeline",
    "Pooling",
    "SGPSettings",
    "Scoring",
    "Stage",
    "load",
    "parse",
    "read_yaml",
    "to_yaml",
]
