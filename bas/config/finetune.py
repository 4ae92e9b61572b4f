"""Settings of stage 3, the joint training of encoder and head on clips decoded from video, and of its augmentation."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, NonNegativeFloat, field_validator

from bas.config.base import Settings, TrainSettings, require_odd

T = TypeVar("T", int, float)

FREEZE = re.compile(r"none|encoder|encoder\.blocks\[:([1-9][0-9]*)\]")
"""Parts of the model that can be frozen; the group is the number of blocks."""


def _in_order(ends: tuple[T, T]) -> tuple[T, T]:
    if ends[0] > ends[1]:
        raise ValueError("the lower end of the range first")
    return ends


# Factors of pixel values: a negative one would invert the picture.
Factors = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_in_order)]


class RandomTransform(Settings):
    """A random transform of a clip."""

    p: float = Field(0.0, ge=0, le=1)
    """Probability of the transform, per clip."""


class Camera(RandomTransform):
    """A moving camera: a uniform motion over the clip from one random view to another."""

    degrees: float = Field(2.5, ge=0)
    """Largest rotation, in degrees."""
    shift: tuple[float, float] = (0.1, 0.05)
    """Largest translation, as shares of width and height."""
    zoom: float = Field(0.05, ge=0, lt=1)
    """Largest change of scale, as a share."""


class Rotation(RandomTransform):
    """A rotation, the same for all pictures."""

    degrees: float = Field(2.5, ge=0)
    """Largest angle, in degrees."""


class Crop(RandomTransform):
    """A random crop, scaled back to the size of the picture."""

    area: float = Field(0.9, gt=0, le=1)
    """Smallest area of the crop, as a share of the picture."""
    stretch: float = Field(0.1, ge=0, lt=1)
    """Largest change of the aspect ratio, as a share."""


class Sharpness(RandomTransform):
    """A change of sharpness."""

    range: Factors = (0.0, 1.0)
    """Range of the factor: 0 is blurred, 1 unchanged, 2 sharpened by as much."""


class MotionBlur(RandomTransform):
    """A blur along a line, as of a moving camera."""

    kernel: int = Field(11, ge=3, le=1001)
    """Length of the line in pixels, odd."""
    degrees: float = Field(7.5, ge=0)
    """Largest angle to the horizontal, in degrees."""


class Blur(RandomTransform):
    """A Gaussian blur."""

    kernel: Annotated[int, Field(ge=3, le=1001), AfterValidator(require_odd)] = 5
    """Kernel size in pixels, odd."""


class Offset(RandomTransform):
    """A constant added to all pixels."""

    range: Annotated[tuple[float, float], AfterValidator(_in_order)] = (-0.2, 0.2)
    """Range of the constant, for pixels in [0, 1]."""


class Factor(RandomTransform):
    """A multiplication by a random factor."""

    range: Factors = (0.8, 1.2)
    """Range of the factor."""


_Bits = Annotated[int, Field(ge=1, le=8)]


class Posterize(RandomTransform):
    """A reduction of the number of gray levels."""

    bits: Annotated[tuple[_Bits, _Bits], AfterValidator(_in_order)] = (3, 7)
    """Range of the number of bits that are kept, both ends included."""


class Noise(RandomTransform):
    """Gaussian noise."""

    std: float = Field(0.05, ge=0)
    """Standard deviation of the noise, for pixels in [0, 1]."""


class AugmentSettings(Settings):
    """Random transforms of a clip, the same for all of its pictures; none is applied by default."""

    jitter: RandomTransform = RandomTransform()
    """Temporal jitter: each picture becomes the picture before, itself or the picture after (0.2, 0.6, 0.2)."""
    camera: Camera = Camera()
    """Camera motion."""
    rotation: Rotation = Rotation()
    """Rotation."""
    crop: Crop = Crop()
    """Crop."""
    flip: RandomTransform = RandomTransform()
    """Horizontal flip; the teams are swapped with it."""
    sharpness: Sharpness = Sharpness()
    """Change of sharpness."""
    motion_blur: MotionBlur = MotionBlur()
    """Motion blur."""
    blur: Blur = Blur()
    """Gaussian blur."""
    offset: Offset = Offset()
    """Offset of all pixels."""
    brightness: Factor = Factor()
    """Factor of all pixels."""
    contrast: Factor = Factor()
    """Factor of the difference between each pixel and the picture's mean."""
    posterize: Posterize = Posterize()
    """Fewer gray levels."""
    noise: Noise = Noise()
    """Noise."""
    mixup: float = Field(0.0, ge=0)
    """Alpha of the Beta distribution from which the share of another clip is sampled, mixed in pixel by pixel; 0 turns
    mixup off."""


class FinetuneSettings(TrainSettings):
    """Stage 3: joint training of encoder and head. Targets, losses and sampling are those of `fit`."""

    epochs: int = Field(10, ge=1, le=100_000)
    """Number of epochs."""
    samples: int = Field(1000, ge=1, le=10_000_000)
    """Clips per epoch."""
    batch: int = Field(4, ge=1, le=4096)
    """Clips per training step, over all processes; clips pass through the model one at a time."""
    clip_rows: int | None = Field(None, ge=1, le=100_000)
    """Rows of a clip; null is the head's window, but at least 31."""
    freeze: str = "none"
    """Frozen part of the model: none, encoder, or encoder.blocks[:k] for the stem and the first k blocks."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Precision of the model; auto selects bf16 on a GPU that supports it, otherwise fp32."""
    checkpointing: bool = True
    """Recompute the encoder's activations in the backward pass: a third more work, but memory for one chunk only."""
    chunk_rows: int = Field(8, ge=1, le=100_000)
    """Rows per encoder call."""
    head_learning_rate: float = Field(1e-3, gt=0)
    """Highest learning rate of the head."""
    encoder_learning_rate: float = Field(3e-4, gt=0)
    """Highest learning rate of the encoder's last block; earlier blocks are scaled by `layer_decay`."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Factor of the learning rate from each encoder block to the block before it."""
    checkpoint_steps: int = Field(100, ge=1, le=10_000_000)
    """Steps between two checkpoints; every epoch ends with one as well."""
    shuffle_clips: int = Field(16, ge=1, le=10_000)
    """Size of the shuffle buffer, in clips per clip of a batch, which keeps neighboring clips of a video apart."""
    augment: AugmentSettings = AugmentSettings()
    """Augmentation of clips."""

    @field_validator("freeze")
    @classmethod
    def _known_part(cls, value: str) -> str:
        if not FREEZE.fullmatch(value):
            raise ValueError("none, encoder, or encoder.blocks[:k] with k >= 1")
        return value
