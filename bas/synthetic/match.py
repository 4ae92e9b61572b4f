"""One half of one match as a recipe, and what becomes of it: contacts to label, pictures to encode."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8

from bas.synthetic.actions import ProfileName, profile
from bas.synthetic.camera import follow
from bas.synthetic.colors import squads
from bas.synthetic.ground import Ground
from bas.synthetic.picture import Painter
from bas.synthetic.play import Half, play
from bas.synthetic.stadium import paint
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
    """1 or 2; the teams change sides between them. 0 stands for what both share."""
    frames: int
    profile: ProfileName
    width: int
    height: int

    def random(self, use: str) -> np.random.Generator:
        """Numbers for one use, the same wherever and whenever they are drawn."""
        return np.random.default_rng([self.seed, self.match, self.half, *use.encode()])


@lru_cache(maxsize=2)
def played(recipe: Recipe) -> Half:
    """What happens on the pitch."""
    return play(profile(recipe.profile), frames=recipe.frames, rng=recipe.random("play"))


def contacts(recipe: Recipe) -> tuple[Contact, ...]:
    """What is labelled in the half, in order."""
    return played(recipe).contacts


def pictures(recipe: Recipe, start: int, stop: int) -> UInt8[np.ndarray, "frames rows columns"]:
    """Frames [start, stop) of the half as yuv420p: the rows of luma, then both chroma planes, packed."""
    painter = _painter(recipe)
    packed = np.empty((stop - start, recipe.height * 3 // 2, recipe.width), np.uint8)
    for i, frame in enumerate(range(start, stop)):
        planes = painter.paint(frame)
        packed[i, : recipe.height] = planes.luma
        packed[i, recipe.height :] = planes.chroma.reshape(-1, recipe.width)
    return packed


@lru_cache(maxsize=2)
def _painter(recipe: Recipe) -> Painter:
    half = played(recipe)
    home, away, referee = squads(replace(recipe, half=0).random("kits"))
    left, right = (home, away) if recipe.half == 1 else (away, home)
    return Painter(
        half,
        follow(half, rng=recipe.random("camera")),
        (*left, *right, referee),
        _ground(replace(recipe, half=0, frames=0)),
        width=recipe.width,
        height=recipe.height,
        rng=recipe.random("grain"),
    )


@lru_cache(maxsize=1)
def _ground(recipe: Recipe) -> Ground:
    """The stadium, the same in both halves."""
    texels = min(recipe.width / _TEXELS_ACROSS, _FINEST_TEXELS)
    return paint(texels_x=texels, rng=recipe.random("ground"))
