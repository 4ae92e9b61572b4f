"""Settings of stage 3: encoder and head trained together, on clips decoded from the video."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, NonNegativeFloat, field_validator

from bas.config.base import Settings, TrainSettings

T = TypeVar("T", int, float)

_FREEZE = re.compile(r"none|encoder|encoder\.blocks\[:[1-9][0-9]*\]")


def _in_order(ends: tuple[T, T]) -> tuple[T, T]:
    if ends[0] > ends[1]:
        raise ValueError("the lower end of a range comes first")
    return ends


Factors = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_in_order)]


class Chance(Settings):
    """How often a change happens to a clip."""

    p: float = Field(0.0, ge=0, le=1)
    """Probability."""


class Camera(Chance):
    """A camera that moves: from one random placement to another, evenly over the clip."""

    degrees: float = Field(2.5, ge=0)
    shift: tuple[float, float] = (0.1, 0.05)
    """Largest move, as shares of width and height."""
    zoom: float = Field(0.05, ge=0, lt=1)


class Rotation(Chance):
    degrees: float = Field(2.5, ge=0)


class Crop(Chance):
    """A part of the picture, scaled to the whole."""

    area: float = Field(0.9, gt=0, le=1)
    """Smallest part, as a share of the area."""
    stretch: float = Field(0.1, ge=0, lt=1)
    """Largest change of the aspect ratio."""


class Sharpness(Chance):
    range: Factors = (0.0, 1.0)
    """0 is blurred, 1 as it is, 2 as much sharper."""


class MotionBlur(Chance):
    kernel: int = Field(11, ge=3)
    """Pixels, odd."""
    degrees: float = Field(7.5, ge=0)
    """Largest angle to the horizontal."""


class Blur(Chance):
    kernel: int = Field(5, ge=3)
    """Pixels of the Gaussian, odd."""


class Offset(Chance):
    range: Annotated[tuple[float, float], AfterValidator(_in_order)] = (-0.2, 0.2)
    """Added to pixels in [0, 1]."""


class Factor(Chance):
    range: Factors = (0.8, 1.2)


_Bits = Annotated[int, Field(ge=1, le=8)]


class Posterize(Chance):
    bits: Annotated[tuple[_Bits, _Bits], AfterValidator(_in_order)] = (3, 7)
    """That are kept: fewest and most."""


class Noise(Chance):
    std: float = Field(0.05, ge=0)
    """Of pixels in [0, 1]."""


class AugmentSettings(Settings):
    """Changes to a clip, the same for all of its pictures; nothing happens by default."""

    jitter: Chance = Chance()
    """Each picture of the clip is the one before, itself or the one after (0.2, 0.6, 0.2)."""
    camera: Camera = Camera()
    rotation: Rotation = Rotation()
    crop: Crop = Crop()
    flip: Chance = Chance()
    """Left and right exchanged, the teams with them."""
    sharpness: Sharpness = Sharpness()
    motion_blur: MotionBlur = MotionBlur()
    blur: Blur = Blur()
    offset: Offset = Offset()
    brightness: Factor = Factor()
    """Of all pixels."""
    contrast: Factor = Factor()
    """Of the distance to the picture's mean."""
    posterize: Posterize = Posterize()
    noise: Noise = Noise()
    mixup: float = Field(0.0, ge=0)
    """Alpha of the Beta distribution of the share of another clip, pixel by pixel; 0 mixes nothing."""


class FinetuneSettings(TrainSettings):
    """Stage 3: how encoder and head are trained together. Targets, losses and the draw are those of `fit`."""

    epochs: int = Field(10, ge=1)
    samples: int = Field(1000, ge=1)
    """Clips drawn an epoch."""
    batch: int = Field(4, ge=1)
    """Clips a step, over all processes; each goes through the model on its own."""
    clip_rows: int | None = Field(None, ge=1)
    """Rows of a clip; null takes the head's window, and 31 at least."""
    freeze: str = "none"
    """none, encoder, or encoder.blocks[:k]: the stem and the first k blocks."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto takes bf16 on a GPU that has it, else fp32."""
    checkpointing: bool = True
    """Compute the encoder's activations anew in the backward pass: a third more work, memory of one chunk."""
    chunk_rows: int = Field(8, ge=1)
    """Rows that the encoder takes at once."""
    head_learning_rate: float = Field(1e-3, gt=0)
    encoder_learning_rate: float = Field(3e-4, gt=0)
    """Of the encoder's last block."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Factor of the learning rate from each block to the one before it."""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    checkpoint_steps: int = Field(100, ge=1)
    """Steps between two checkpoints; the end of an epoch makes one too."""
    shuffle_clips: int = Field(16, ge=1)
    """Clips that wait, of each of a batch, so that neighbors in a video do not follow each other."""
    augment: AugmentSettings = AugmentSettings()

    @field_validator("freeze")
    @classmethod
    def _known_part(cls, value: str) -> str:
        if not _FREEZE.fullmatch(value):
            raise ValueError("freeze is none, encoder, or encoder.blocks[:k] with k from 1")
        return value
