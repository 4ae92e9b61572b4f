"""Affine camera motion for clips: shift, rotation, zoom and crop in one resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bas.config import AugmentSettings

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
        scale = 1 / (1 + zoom * camera.zoom)
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
    share = np.linspace(0, 1, count)

    def between(a: float, b: float) -> np.ndarray:
        values: np.ndarray = a + (b - a) * share
        return values

    radians = np.radians(between(first.degrees, last.degrees))
    wide, high = between(first.width, last.width), between(first.height, last.height)
    cos, sin = np.cos(radians), np.sin(radians)
    # One unit is half the width along x and half the height along y: `aspect` converts between them,
    # so that a rotation keeps shapes. A shift by a fraction of the side is twice that in these units.
    rows = [
        [wide * cos, -high * sin / aspect, 2 * between(first.right, last.right)],
        [wide * sin * aspect, high * cos, 2 * between(first.down, last.down)],
    ]
    return torch.tensor(np.array(rows), dtype=torch.float32).permute(2, 0, 1)
