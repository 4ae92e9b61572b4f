"""Photometric and geometric augmentation of clips, the same for all pictures of a clip."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as pictures

from bas.config import AugmentSettings, RandomTransform
from bas.config.finetune import Factor, Offset, Sharpness


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Parameters of the transforms of one clip; None and False leave it unchanged."""

    views: tuple[View, View] | None = None
    """Camera views of the first and the last picture; the camera moves evenly between them."""
    flip: bool = False
    sharpness: float | None = None
    """Sharpness factor: 0 gives a blurred picture, 1 the original, 2 a sharpened one."""
    motion_blur: tuple[float, float] | None = None
    """Angle of the blur in degrees, and its direction from -1 to 1."""
    blur_sigma: float | None = None
    """Standard deviation of the Gaussian blur in pixels."""
    offset: float | None = None
    """Value added to pixels in [0, 1]."""
    brightness: float | None = None
    """Factor of the pixel values."""
    contrast: float | None = None
    """Factor of the distance to the picture's mean."""
    bits: int | None = None
    """Number of bits that posterizing keeps."""
    noise_seed: int | None = None


_BLUR_SIGMAS = (0.1, 2.0)

_FLOAT_COPIES = 3  # input and output of a transform, and one intermediate result


def draw_augmentation(settings: AugmentSettings, generator: np.random.Generator) -> Augmentation:
    """Sample the augmentation of one clip."""

    # The order of the calls below fixes which random number each transform gets: keep it.
    def happens(transform: RandomTransform) -> bool:
        return bool(generator.random() < transform.p)

    def value(transform: Sharpness | Offset | Factor) -> float | None:
        return float(generator.uniform(*transform.range)) if happens(transform) else None

    blur = settings.motion_blur
    return Augmentation(
        views=draw_views(settings, generator),
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


def apply_augmentation(
    luma: UInt8[Tensor, "frames height width"], augmentation: Augmentation, settings: AugmentSettings
) -> UInt8[Tensor, "frames height width"]:
    """Augment a clip on its own device; without any transform, return it as it is.

    The order is lRomul's (ball-action-spotting, 2023); all geometric transforms are one resampling.
    """
    if augmentation.flip:
        luma = luma.flip(2)  # on bytes: a clip that is only flipped needs no float copy
    if replace(augmentation, flip=False) == Augmentation():
        return luma
    x = luma.float() / 255
    if augmentation.views is not None:
        x = warp(x, *augmentation.views)
    x = _apply_photometric(rearrange(x, "t h w -> t 1 h w"), augmentation, settings)
    return rearrange(x, "t 1 h w -> t h w").mul_(255).round_().clamp_(0, 255).to(torch.uint8)


def peak_float_copies(settings: AugmentSettings) -> int:
    """Maximum number of float32 copies of a clip that augmenting or mixing it holds at once."""
    names = AugmentSettings.model_fields.keys() - {"jitter", "flip", "mixup"}  # jitter and flip keep uint8
    needs_float = settings.mixup > 0 or any(getattr(settings, name).p for name in names)
    return _FLOAT_COPIES * needs_float


def _apply_photometric(
    x: Float[Tensor, "frames 1 height width"], augmentation: Augmentation, settings: AugmentSettings
) -> Float[Tensor, "frames 1 height width"]:
    if augmentation.sharpness is not None:
        x = pictures.adjust_sharpness(x, augmentation.sharpness)
    if augmentation.motion_blur is not None:
        kernel = _motion_kernel(settings.motion_blur.kernel, *augmentation.motion_blur).to(x.device)
        x = functional.conv2d(x, rearrange(kernel, "h w -> 1 1 h w"), padding="same")
    if augmentation.blur_sigma is not None:
        x = pictures.gaussian_blur(x, [settings.blur.kernel] * 2, [augmentation.blur_sigma] * 2)
    # Offset, brightness and contrast clamp at once: the next step starts from what a picture can hold.
    if augmentation.offset is not None:
        x = (x + augmentation.offset).clamp(0, 1)
    if augmentation.brightness is not None:
        x = (x * augmentation.brightness).clamp(0, 1)
    if augmentation.contrast is not None:
        mean = x.mean(dim=(2, 3), keepdim=True)
        x = (mean + augmentation.contrast * (x - mean)).clamp(0, 1)
    if augmentation.bits is not None:
        step = 256 >> augmentation.bits  # so many neighboring gray levels fall to the lowest of them
        x = (x * 255 / step).floor() * step / 255
    if augmentation.noise_seed is not None:
        # A generator on the device of the clip, so that the noise is made where it is used.
        random = torch.Generator(x.device).manual_seed(augmentation.noise_seed)
        x = x + settings.noise.std * torch.randn(x.shape, generator=random, device=x.device)
    return x


def _motion_kernel(size: int, degrees: float, direction: float) -> Float[Tensor, "size size"]:
    """Motion blur: a line through the center, whose weights form a ramp from 0 where `direction` is -1 or 1."""
    # Along the line from one end of the kernel to the other; 1 is half the kernel.
    positions = torch.linspace(-1, 1, size)
    weights = (1 + direction * positions).clamp(min=0)
    radians = math.radians(degrees)
    x, y = positions * math.cos(radians), positions * math.sin(radians)
    middle = (size - 1) / 2
    pixels = repeat(torch.arange(size) / middle - 1, "k -> n k", n=size)
    # Bilinear splatting: each point of the line is shared by the two nearest pixels of each axis.
    near_x = (1 - (pixels - x[:, None]).abs() * middle).clamp(min=0)
    near_y = (1 - (pixels - y[:, None]).abs() * middle).clamp(min=0)
    line = torch.einsum("n,nh,nw->hw", weights, near_y, near_x)
    return line / line.sum()  # keeps the brightness


_CHUNK_PIXELS = 1 << 23  # pixels resampled at once: their coordinates take 64 MiB


@dataclass(frozen=True, slots=True)
class View:
    """The part of a picture that is shown: its center, size and rotation."""

    degrees: float = 0.0
    right: float = 0.0
    """Shift of the center to the right, as a fraction of the picture's width."""
    down: float = 0.0
    """Shift of the center downwards, as a fraction of the picture's height."""
    width: float = 1.0
    """Width of the part, as a fraction of the picture's."""
    height: float = 1.0
    """Height of the part, as a fraction of the picture's."""


def draw_views(settings: AugmentSettings, generator: np.random.Generator) -> tuple[View, View] | None:
    """Sample the views of the first and the last picture of a clip; None leaves the clip unchanged."""
    camera, rotation, crop = settings.camera, settings.rotation, settings.crop
    moves, rotates, crops = (bool(generator.random() < transform.p) for transform in (camera, rotation, crop))
    if not (moves or rotates or crops):
        return None
    degrees = float(generator.uniform(-rotation.degrees, rotation.degrees)) if rotates else 0.0
    width = height = 1.0
    if crops:
        area = generator.uniform(crop.area, 1)
        # Log-uniform, so that a picture is stretched as often as it is squeezed.
        stretch = math.exp(generator.uniform(-1, 1) * math.log1p(crop.stretch))
        width, height = min(1.0, math.sqrt(area * stretch)), min(1.0, math.sqrt(area / stretch))
    # A center anywhere that keeps the part inside the picture; without a crop that is the middle.
    right, down = (float(generator.uniform(-1, 1)) * (1 - size) / 2 for size in (width, height))

    def camera_view() -> View:
        if not moves:
            return View(degrees, right, down, width, height)
        angle, across, along, zoom = generator.uniform(-1, 1, 4)
        scale = 1 / (1 + zoom * camera.zoom)  # zooming in shows a smaller part
        return View(
            degrees + angle * camera.degrees,
            right + across * camera.shift[0],
            down + along * camera.shift[1],
            width * scale,
            height * scale,
        )

    return camera_view(), camera_view()


def warp(
    x: Float[Tensor, "frames height width"], first: View, last: View
) -> Float[Tensor, "frames height width"]:
    """Show a clip through a camera that moves evenly from one view to another; outside the picture is black."""
    count, height, width = x.shape
    transforms = _transforms(first, last, count, aspect=width / height).to(x.device)
    chunk = max(1, _CHUNK_PIXELS // (height * width))
    parts = []
    for start in range(0, count, chunk):
        part = rearrange(x[start : start + chunk], "t h w -> t 1 h w")
        grid = functional.affine_grid(
            transforms[start : start + chunk], [len(part), 1, height, width], align_corners=False
        )
        parts.append(functional.grid_sample(part, grid, align_corners=False))
    return rearrange(torch.cat(parts), "t 1 h w -> t h w")


def _transforms(first: View, last: View, count: int, *, aspect: float) -> Float[Tensor, "count 2 3"]:
    """Affine maps from coordinates of the output to those of the input, both from -1 to 1."""
    # In float64 until the end, so that neighboring pictures move by equal steps.
    start, end = np.array(astuple(first)), np.array(astuple(last))
    degrees, right, down, wide, high = (start + (end - start) * np.linspace(0, 1, count)[:, None]).T
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    # One unit is half the width along x and half the height along y: `aspect` converts between them,
    # so that a rotation keeps shapes. A shift by a fraction of the side is twice that in these units.
    rows = [
        [wide * cos, -high * sin / aspect, 2 * right],
        [wide * sin * aspect, high * cos, 2 * down],
    ]
    return torch.tensor(np.array(rows), dtype=torch.float32).permute(2, 0, 1)
