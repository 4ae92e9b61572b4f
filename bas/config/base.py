"""What all settings have in common, and what every training is told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of all settings: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class TrainSettings(Settings):
    """How long to train, and by which schedule."""

    epochs: int = Field(20, ge=1)
    batch: int = Field(64, ge=1)
    """Windows a step."""
    seed: int = Field(0, ge=0, lt=1 << 31)
    # ---- optimizer ----
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """adam has no weight decay of its own; sgd has Nesterov momentum 0.9."""
    weight_decay: float = Field(0.01, ge=0)
    warmup_epochs: float = Field(1.0, ge=0)
    """Linear from 0, then a cosine."""
    floor: float = Field(0.01, ge=0, le=1)
    """Share of the learning rate that the cosine ends at."""
    clip_norm: float = Field(1.0, gt=0)
    """Largest norm of a gradient."""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    """Of the averaged weights that are scored and kept."""
