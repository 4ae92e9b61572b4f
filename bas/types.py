"""The values that travel through bas: frozen, with their units in their names."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class Video:
    """One video file of a game."""

    path: Path
    half: int
    """1 or 2; always 1 where both halves share one file."""


@dataclass(frozen=True, slots=True)
class Game:
    """One match on disk."""

    id: str
    """Folder below the data folder with forward slashes, or the stem of a bare video."""
    videos: tuple[Video, ...]
    labels: Path | None


@dataclass(frozen=True, slots=True)
class Spot:
    """An action as a person annotated it."""

    position_ms: int
    """Milliseconds from the start of the half's video file."""
    label: str
    team: str | None = None
    """left, right, home, away or None, as the file says."""
    visible: bool = True
    half: int = 1


@dataclass(frozen=True, slots=True)
class Detection:
    """An action as a model claims it."""

    frame: int
    """Tick of the model's clock, from the start of the half's video."""
    label: str
    score: float
    """Confidence in [0, 1]."""
    team: str | None = None
    """left or right, or None for a model without teams."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says of every frame of one video."""

    values: Float[np.ndarray, "frames classes"]
    """float32 in [0, 1]."""
    classes: tuple[str, ...]
    fps: Fraction
    """Frames a second of the model's clock."""

    def __post_init__(self) -> None:
        assert self.values.shape[1] == len(self.classes), (self.values.shape, self.classes)
