"""Base class of all settings, and the settings that both trainings share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Decoder = Literal["auto", "nvdec", "cpu"]
"""Video decoder; auto takes NVDEC where it works. Not a setting: it does not change the feature rows."""


Precision = Literal["fp32", "bf16"]
"""Number format in which an encoder computes."""


def require_odd(length: int) -> int:
    """Refuse a window without a middle."""
    if length % 2 == 0:
        # The message of a setting's own check says what is expected: see `bas.config.mistakes`.
        raise ValueError("an odd number, so that the window has a middle")
    return length


OddInt = Annotated[int, Field(ge=1, le=10_001), AfterValidator(require_odd)]


class Settings(BaseModel):
    """Base class of all settings: frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class TrainSettings(Settings):
    """Length of a training, optimizer and learning rate schedule."""

    epochs: int = Field(20, ge=1, le=100_000)
    """Number of epochs."""
    batch: int = Field(64, ge=1, le=65_536)
    """Windows per training step."""
    seed: int = Field(0, ge=0, lt=1 << 31)
    """Seed of initial weights, sampling and augmentation."""
    # ---- optimizer ----
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """Optimizer; adam applies weight decay as an L2 penalty, sgd uses Nesterov momentum 0.9."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay; biases and normalization layers are exempt."""
    warmup_epochs: float = Field(1.0, ge=0, le=100_000)
    """Epochs of linear warm-up from 0, followed by a cosine decay."""
    min_lr_ratio: float = Field(0.01, ge=0, le=1)
    """Final learning rate of the cosine decay, as a share of the highest."""
    clip_norm: float = Field(1.0, gt=0)
    """Largest gradient norm; larger gradients are scaled down."""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the moving average of the weights; the averaged weights are validated and saved. 0 turns averaging off."""
