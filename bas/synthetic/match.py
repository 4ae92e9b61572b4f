"""Contacts and pictures of one half of a match, computed from its specification alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8

from bas.synthetic.rendering.camera import camera_track
from bas.synthetic.rendering.colors import match_kits
from bas.synthetic.rendering.ground import StadiumTexture
from bas.synthetic.rendering.picture import Painter
from bas.synthetic.rendering.stadium import paint_stadium
from bas.synthetic.simulation.actions import ProfileName, profile
from bas.synthetic.simulation.play import Half, play_half
from bas.synthetic.simulation.stage import Contact

_METRES_PER_WIDTH = 21
"""Metres of ground covered by as many texels as the picture has columns."""
_MAX_TEXELS_PER_METRE = 36.0


@dataclass(frozen=True, slots=True)
class HalfSpec:
    """All inputs that determine the bytes of one half."""

    seed: int
    match: int
    half: int
    """Half 1 or 2; the teams change sides in between. 0 seeds what both halves share."""
    frames: int
    profile: ProfileName
    width: int
    height: int

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a generator for one purpose, independent of all others and of the calling process."""
        return np.random.default_rng([self.seed, self.match, self.half, *purpose.encode()])


@lru_cache(maxsize=2)
def simulate(spec: HalfSpec) -> Half:
    """Simulate what happens on the pitch."""
    return play_half(profile(spec.profile), frames=spec.frames, rng=spec.rng("play"))


def contacts_of(spec: HalfSpec) -> tuple[Contact, ...]:
    """Return the labelled contacts of a half, in order."""
    return simulate(spec).contacts


def render_pictures(spec: HalfSpec, start: int, stop: int) -> UInt8[np.ndarray, "frames rows columns"]:
    """Render frames [start, stop) as packed yuv420p: the luma rows, then both chroma planes."""
    painter = _painter(spec)
    packed = np.empty((stop - start, spec.height * 3 // 2, spec.width), np.uint8)
    for i, frame in enumerate(range(start, stop)):
        picture = painter.paint(frame)
        packed[i, : spec.height] = picture.luma
        packed[i, spec.height :] = picture.chroma.reshape(-1, spec.width)
    return packed


@lru_cache(maxsize=2)
def _painter(spec: HalfSpec) -> Painter:
    half = simulate(spec)
    home, away, referee = match_kits(replace(spec, half=0).rng("kits"))
    left, right = (home, away) if spec.half == 1 else (away, home)
    return Painter(
        half,
        camera_track(half, rng=spec.rng("camera")),
        (*left, *right, referee),
        _stadium(replace(spec, half=0, frames=0)),
        width=spec.width,
        height=spec.height,
        rng=spec.rng("grain"),
    )


@lru_cache(maxsize=1)
def _stadium(spec: HalfSpec) -> StadiumTexture:
    """Paint the stadium, which is the same in both halves."""
    texels_per_metre = min(spec.width / _METRES_PER_WIDTH, _MAX_TEXELS_PER_METRE)
    return paint_stadium(texels_x=texels_per_metre, rng=spec.rng("ground"))
