"""Team kits with contrasting colors, and conversion from RGB to video YUV."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

RGB = tuple[int, int, int]
NUM_PARTS = 7
SHIRT, SHORTS, SOCKS, SKIN, HAIR, BOOTS, SLEEVE = range(NUM_PARTS)


@dataclass(frozen=True, slots=True)
class Kit:
    """Clothing, skin and hair colors of one person."""

    shirt: RGB
    shorts: RGB
    socks: RGB
    sleeves: RGB
    skin: RGB = (214, 164, 128)
    hair: RGB = (52, 36, 26)

    @property
    def part_colors(self) -> tuple[RGB, ...]:
        """Colors indexed by body part (SHIRT, SHORTS, ...)."""
        return (self.shirt, self.shorts, self.socks, self.skin, self.hair, (24, 24, 26), self.sleeves)


_RED, _WHITE, _BLUE, _SKY = (200, 22, 30), (238, 238, 236), (28, 52, 168), (120, 186, 236)
_YELLOW, _BLACK, _CLARET, _ORANGE = (246, 212, 30), (28, 28, 32), (112, 20, 44), (240, 118, 20)
_BRIGHT = (
    Kit(_WHITE, _WHITE, _WHITE, _WHITE),
    Kit(_SKY, _WHITE, _SKY, _SKY),
    Kit(_YELLOW, _YELLOW, _YELLOW, _YELLOW),
    Kit(_WHITE, _BLACK, _WHITE, _RED),
    Kit(_YELLOW, _BLUE, _WHITE, _YELLOW),
)
_DARK = (
    Kit(_RED, _WHITE, _RED, _RED),
    Kit(_BLUE, _BLUE, _WHITE, _BLUE),
    Kit(_CLARET, _WHITE, _SKY, _SKY),
    Kit(_BLACK, _BLACK, _BLACK, _ORANGE),
    Kit(_RED, _RED, _BLACK, _WHITE),
)
_KEEPERS = (Kit(_ORANGE, _BLACK, _ORANGE, _ORANGE), Kit((190, 60, 180), _BLACK, _BLACK, (190, 60, 180)))
_COMPLEXIONS = (
    ((222, 176, 142), (58, 40, 28)),
    ((214, 164, 128), (150, 112, 60)),
    ((150, 102, 72), (30, 24, 22)),
    ((104, 70, 50), (24, 20, 20)),
)
"""Pairs of skin and hair colors."""
_REFEREE = Kit((20, 24, 24), (20, 24, 24), (20, 24, 24), (20, 24, 24))


def match_kits(rng: np.random.Generator) -> tuple[tuple[Kit, ...], tuple[Kit, ...], Kit]:
    """Return the kits of the home team, the away team (goalkeeper first) and the referee.

    One team wears bright colors and the other dark ones.
    """
    teams = [_BRIGHT[rng.integers(len(_BRIGHT))], _DARK[rng.integers(len(_DARK))]]
    if rng.random() < 0.5:
        teams.reverse()
    home, away = (
        tuple(_with_complexion(kit, rng) for kit in (keeper, *[team] * 10))
        for keeper, team in zip(_KEEPERS, teams, strict=True)
    )
    return home, away, _with_complexion(_REFEREE, rng)


def _with_complexion(kit: Kit, rng: np.random.Generator) -> Kit:
    skin, hair = _COMPLEXIONS[rng.integers(len(_COMPLEXIONS))]
    return replace(kit, skin=skin, hair=hair)


def to_yuv(rgb: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """Convert RGB (0..255) to BT.709 YUV in limited range: luma 16..235, chroma centered at 128."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    yuv = (
        16 + luma * 219 / 255,
        128 + (blue - luma) / 1.8556 * 224 / 255,
        128 + (red - luma) / 1.5748 * 224 / 255,
    )
    return np.stack(yuv, axis=-1)
