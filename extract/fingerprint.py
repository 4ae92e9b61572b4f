"""What determines the bytes of a cached row: the fingerprint, and the folder that it names.

Not in it: the video (checked by its own identity), the decoder and the compute precision.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from bas.config.settings import ExtractSettings
from bas.types import Game, Video


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """All that two runs must share for their rows to be interchangeable."""

    clock: str
    """Ticks a second, an exact fraction."""
    encoder: str
    weights: str
    """SHA-256 of the encoder's tensors, in hex; of no file's layout."""
    stack: tuple[int, int, int]
    hop: int
    size: tuple[int, int]
    """Rows and columns of a picture before padding."""
    flip: bool
    grid: tuple[int, int]
    origin: Literal["first picture", "container's zero"]
    """Time of tick 0."""
    resize: str = "bilinear, antialiased, rounded to 8 bits"
    padding: str = "zeros, even, to multiples of 32"
    luma: str = "as decoded, / 255"
    dtype: str = "<f2"
    format: int = 1

    @property
    def json(self) -> str:
        """Canonical: sorted keys, no blanks."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def key(self) -> str:
        """Name of the folder that holds all caches of this fingerprint."""
        encoder = re.sub(r"[^\w.-]", "_", self.encoder)
        grid_rows, grid_columns = self.grid
        digits = hashlib.sha256(self.json.encode()).hexdigest()[:8]
        return f"{encoder}-{grid_rows}x{grid_columns}-hop{self.hop}-{digits}"

    @property
    def clock_rate(self) -> Fraction:
        """Ticks a second."""
        return Fraction(self.clock)


def fingerprint_of(settings: ExtractSettings, *, weights: str) -> Fingerprint:
    """Fingerprint of the rows that `settings` and weights of this SHA-256 give."""
    return Fingerprint(
        clock=settings.clock,
        encoder=settings.encoder,
        weights=weights,
        stack=settings.stack,
        hop=settings.hop,
        size=(settings.height, settings.width),
        flip=settings.flip,
        grid=settings.grid,
        origin="container's zero" if settings.time_origin == "zero" else "first picture",
    )


def cache_path(features: Path, fingerprint: Fingerprint, game: Game, video: Video) -> Path:
    """Where the rows of one video are cached."""
    return features / fingerprint.key / game.id / f"{video.path.stem}.h5"
