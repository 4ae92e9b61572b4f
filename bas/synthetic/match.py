"""One half of one match as a recipe, and what becomes of it: contacts to label, pictures to encode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8

from bas.synthetic import ground
from bas.synthetic.actions import ProfileName, profile
from bas.synthetic.camera import follow
from bas.synthetic.colors import kits
from bas.synthetic.picture import Painter
from bas.synthetic.play import Half, play
from bas.synthetic.stage import Contact

_TEXELS_ACROSS = 21
"""Metres of ground that are as many texels wide as the picture."""
_FINEST_TEXELS = 36.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the bytes of one half."""

    seed: int
    match: int
    half: int
    """1 or 2; the teams change sides between them."""
    frames: int
    profile: ProfileName
    width: int
    height: int

    def random(self, use: str) -> np.random.Generator:
        """Numbers for one use, the same wherever and whenever they are drawn."""
        match_wide = use in ("kits", "ground")
        half = 0 if match_wide else self.half
        return np.random.default_rng([self.seed, self.match, half, *use.encode()])


def contacts(recipe: Recipe) -> tuple[Contact, ...]:
    """What happens in the half, in order."""
    return _played(recipe).contacts


def pictures(recipe: Recipe, start: int, stop: int) -> UInt8[np.ndarray, "frames rows columns"]:
    """Frames [start, stop) of the half as yuv420p: the rows of luma, then both chroma planes, packed."""
    painter = _painter(recipe)
    packed = np.empty((stop - start, recipe.height * 3 // 2, recipe.width), np.uint8)
    for i, frame in enumerate(range(start, stop)):
        planes = painter.paint(frame)
        packed[i, : recipe.height] = planes.luma
        packed[i, recipe.height :] = planes.chroma.reshape(-1, recipe.width)
    return packed


@lru_cache(maxsize=1)
def _played(recipe: Recipe) -> Half:
    return play(profile(recipe.profile), frames=recipe.frames, rng=recipe.random("play"))


@lru_cache(maxsize=1)
def _painter(recipe: Recipe) -> Painter:
    half = _played(recipe)
    home, away, home_keeper, away_keeper, referee = kits(recipe.random("kits"))
    teams = [[home_keeper, *[home] * 10], [away_keeper, *[away] * 10]]
    left, right = teams if recipe.half == 1 else teams[::-1]
    texels = min(recipe.width / _TEXELS_ACROSS, _FINEST_TEXELS)
    return Painter(
        half,
        follow(half, rng=recipe.random("camera")),
        (*left, *right, referee),
        ground.paint(texels_x=texels, rng=recipe.random("ground")),
        width=recipe.width,
        height=recipe.height,
        rng=recipe.random("grain"),
    )
