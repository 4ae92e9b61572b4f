"""Settings of extraction, training on cached rows and post-processing, and of a whole run."""

from __future__ import annotations

from bas.config.base import Settings
from bas.config.extract import ExtractSettings
from bas.config.finetune import FinetuneSettings
from bas.config.fit import FitSettings
from bas.config.heads import HeadSettings, NetVLADSettings
from bas.config.postprocess import PostprocessSettings


class Pipeline(Settings):
    """All settings of a run, one section per stage."""

    extract: ExtractSettings = ExtractSettings()
    """Feature extraction (stage 1)."""
    head: HeadSettings = NetVLADSettings()
    """Head."""
    fit: FitSettings = FitSettings()
    """Training of the head (stage 2)."""
    finetune: FinetuneSettings = FinetuneSettings()
    """Joint training of encoder and head (stage 3)."""
    peaks: PostprocessSettings = PostprocessSettings()
    """Post-processing."""
