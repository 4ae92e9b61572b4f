"""How a clip is made to look other than it was filmed: changes of place and light, the same for all its pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as pictures

from bas.config import AugmentSettings, Chance
from bas.config.finetune import Factor, Offset, Sharpness
from bas.heads.placement import Placement, draw_placements, place


@dataclass(frozen=True, slots=True)
class Look:
    """What is done to one clip; None is left as it is."""

    placements: tuple[Placement, Placement] | None = None
    """Of the first and of the last picture; the camera moves evenly between them."""
    flip: bool = False
    sharpness: float | None = None
    """0 is blurred, 1 as it is, 2 as much sharper."""
    motion_blur: tuple[float, float] | None = None
    """Angle in degrees, and direction from -1 to 1."""
    blur_sigma: float | None = None
    """Pixels."""
    offset: float | None = None
    """Added to pixels in [0, 1]."""
    brightness: float | None = None
    """Factor."""
    contrast: float | None = None
    """Factor of the distance to the mean."""
    bits: int | None = None
    """That posterizing keeps."""
    noise_seed: int | None = None


_BLUR_SIGMAS = (0.1, 2.0)
_FLOAT_COPIES = 3  # what a change makes stands beside what it is made of


def draw_look(settings: AugmentSettings, generator: np.random.Generator) -> Look:
    """Draw what happens to a clip."""

    def happens(chance: Chance) -> bool:
        return bool(generator.random() < chance.p)

    def value(chance: Sharpness | Offset | Factor) -> float | None:
        return float(generator.uniform(*chance.range)) if happens(chance) else None

    blur = settings.motion_blur
    return Look(
        placements=draw_placements(settings, generator),
        flip=happens(settings.flip),
        sharpness=value(settings.sharpness),
        motion_blur=(float(generator.uniform(-blur.degrees, blur.degrees)), float(generator.uniform(-1, 1)))
        if happens(blur)
        else None,
        blur_sigma=float(generator.uniform(*_BLUR_SIGMAS)) if happens(settings.blur) else None,
        offset=value(settings.offset),
        brightness=value(settings.brightness),
        contrast=value(settings.contrast),
        bits=int(generator.integers(*settings.posterize.bits, endpoint=True))
        if happens(settings.posterize)
        else None,
        noise_seed=int(generator.integers(1 << 31)) if happens(settings.noise) else None,
    )


def change(
    luma: UInt8[Tensor, "slots height width"], look: Look, settings: AugmentSettings
) -> UInt8[Tensor, "slots height width"]:
    """A clip with its look, on its own device; one without changes is returned as it is.

    The order is lRomul's (ball-action-spotting, 2023); changes of place are one resampling.
    """
    if look.flip:
        luma = luma.flip(2)
    if replace(look, flip=False) == Look():
        return luma
    x = luma.float() / 255
    if look.placements is not None:
        x = place(x, *look.placements)
    x = _light(rearrange(x, "t h w -> t 1 h w"), look, settings)
    return rearrange(x, "t 1 h w -> t h w").mul_(255).round_().clamp_(0, 255).to(torch.uint8)


def float_copies(settings: AugmentSettings) -> int:
    """Clips of float32 that `change`, or mixing what it gave, holds at once at most."""
    names = AugmentSettings.model_fields.keys() - {"jitter", "flip", "mixup"}
    changes = settings.mixup > 0 or any(getattr(settings, name).p for name in names)
    return _FLOAT_COPIES * changes


def _light(
    x: Float[Tensor, "slots 1 height width"], look: Look, settings: AugmentSettings
) -> Float[Tensor, "slots 1 height width"]:
    if look.sharpness is not None:
        x = pictures.adjust_sharpness(x, look.sharpness)
    if look.motion_blur is not None:
        kernel = _line(settings.motion_blur.kernel, *look.motion_blur).to(x.device)
        x = functional.conv2d(x, rearrange(kernel, "h w -> 1 1 h w"), padding="same")
    if look.blur_sigma is not None:
        x = pictures.gaussian_blur(x, [settings.blur.kernel] * 2, [look.blur_sigma] * 2)
    if look.offset is not None:
        x = (x + look.offset).clamp(0, 1)
    if look.brightness is not None:
        x = (x * look.brightness).clamp(0, 1)
    if look.contrast is not None:
        mean = x.mean(dim=(2, 3), keepdim=True)
        x = (mean + look.contrast * (x - mean)).clamp(0, 1)
    if look.bits is not None:
        step = 256 >> look.bits
        x = (x * 255 / step).floor() * step / 255
    if look.noise_seed is not None:
        random = torch.Generator(x.device).manual_seed(look.noise_seed)
        x = x + settings.noise.std * torch.randn(x.shape, generator=random, device=x.device)
    return x


def _line(kernel: int, degrees: float, direction: float) -> Float[Tensor, "kernel kernel"]:
    """A blurring line through the middle, heavier at one end: a ramp from 0 for -1 or 1."""
    places = torch.linspace(-1, 1, kernel)
    weights = (1 + direction * places).clamp(min=0)
    radians = math.radians(degrees)
    x, y = places * math.cos(radians), places * math.sin(radians)
    middle = (kernel - 1) / 2
    across = repeat(torch.arange(kernel) / middle - 1, "k -> n k", n=kernel)
    near_x = (1 - (across - x[:, None]).abs() * middle).clamp(min=0)  # linear to the two nearest pixels
    near_y = (1 - (across - y[:, None]).abs() * middle).clamp(min=0)
    line = torch.einsum("n,nh,nw->hw", weights, near_y, near_x)
    return line / line.sum()
