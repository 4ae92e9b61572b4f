"""Where a camera would have put the picture: moved, turned, nearer; one resampling for all of it."""

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

_CHUNK_PIXELS = 1 << 23  # resampled at once: their coordinates take 64 MiB


@dataclass(frozen=True, slots=True)
class Placement:
    """The part of a picture that is shown: its middle, its size and its turn."""

    degrees: float = 0.0
    right: float = 0.0
    """Of the middle, as a share of the width."""
    down: float = 0.0
    """Of the middle, as a share of the height."""
    width: float = 1.0
    """As a share of the picture's."""
    height: float = 1.0


def draw_placements(
    settings: AugmentSettings, generator: np.random.Generator
) -> tuple[Placement, Placement] | None:
    """Placements of the first and last picture of a clip; None leaves all where it is."""
    camera, rotation, crop = settings.camera, settings.rotation, settings.crop
    moves, turns, crops = (bool(generator.random() < chance.p) for chance in (camera, rotation, crop))
    if not (moves or turns or crops):
        return None
    degrees = float(generator.uniform(-rotation.degrees, rotation.degrees)) if turns else 0.0
    width = height = 1.0
    if crops:
        area = generator.uniform(crop.area, 1)
        stretch = math.exp(generator.uniform(-1, 1) * math.log1p(crop.stretch))
        width, height = min(1.0, math.sqrt(area * stretch)), min(1.0, math.sqrt(area / stretch))
    right, down = (float(generator.uniform(-1, 1)) * (1 - size) / 2 for size in (width, height))

    def camera_at() -> Placement:
        if not moves:
            return Placement(degrees, right, down, width, height)
        turn, across, along, zoom = generator.uniform(-1, 1, 4)
        scale = 1 / (1 + zoom * camera.zoom)
        return Placement(
            degrees + turn * camera.degrees,
            right + across * camera.shift[0],
            down + along * camera.shift[1],
            width * scale,
            height * scale,
        )

    return camera_at(), camera_at()


def place(
    x: Float[Tensor, "slots height width"], first: Placement, last: Placement
) -> Float[Tensor, "slots height width"]:
    """Pictures as a camera shows them that moves evenly from one placement to another; black lies outside."""
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


def _transforms(
    first: Placement, last: Placement, count: int, *, aspect: float
) -> Float[Tensor, "count 2 3"]:
    """From coordinates of the shown picture to those of the filmed one, both from -1 to 1."""
    share = np.linspace(0, 1, count)

    def between(a: float, b: float) -> np.ndarray:
        values: np.ndarray = a + (b - a) * share
        return values

    radians = np.radians(between(first.degrees, last.degrees))
    wide, high = between(first.width, last.width), between(first.height, last.height)
    cos, sin = np.cos(radians), np.sin(radians)
    rows = [
        [wide * cos, -high * sin / aspect, 2 * between(first.right, last.right)],
        [wide * sin * aspect, high * cos, 2 * between(first.down, last.down)],
    ]
    return torch.tensor(np.array(rows), dtype=torch.float32).permute(2, 0, 1)
