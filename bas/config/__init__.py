"""Settings of every stage, and how presets and `--set` become them."""

from bas.config.presets import STAGES, Stage, load, parse, read_yaml, to_yaml
from bas.config.settings import (
    ExtractSettings,
    FitSettings,
    HeadSettings,
    NetVLADSettings,
    PeaksSettings,
    Pipeline,
)

__all__ = [
    "STAGES",
    "ExtractSettings",
    "FitSettings",
    "HeadSettings",
    "NetVLADSettings",
    "PeaksSettings",
    "Pipeline",
    "Stage",
    "load",
    "parse",
    "read_yaml",
    "to_yaml",
]
