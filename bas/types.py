"""Shared value types: immutable, with units in the names of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float16


@dataclass(frozen=True, slots=True)
class Video:
    """One video file of a game."""

    path: Path
    half: int
    """Half of the game, 1 or 2; always 1 if both halves share one file."""


@dataclass(frozen=True, slots=True)
class Game:
    """One match on disk."""

    id: str
    """Path of the game's folder relative to the data folder, or the stem of a single video."""
    videos: tuple[Video, ...]
    labels: Path | None


@dataclass(frozen=True, slots=True)
class Spot:
    """An action annotated by a person."""

    position_ms: int
    """Milliseconds from the start of the half's video file."""
    label: str
    team: str | None = None
    """Team as in the label file: left, right, home, away or None."""
    visible: bool = True
    half: int = 1


@dataclass(frozen=True, slots=True)
class Detection:
    """An action detected by a model."""

    frame: int
    """Index on the model's clock, counted from the start of the half's video."""
    label: str
    score: float
    """Confidence in [0, 1]."""
    team: str | None = None
    """Predicted team, left or right; None for a model without teams."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Class scores of a model at every frame of one video."""

    values: Float[np.ndarray, "frames classes"]
    """Scores in [0, 1], float32; one column per class."""
    classes: tuple[str, ...]
    fps: Fraction
    """Frames per second of the model's clock."""

    def __post_init__(self) -> None:
        assert self.values.shape[1] == len(self.classes), (self.values.shape, self.classes)


DenseScores = Mapping[str, Mapping[int, Scores]]
"""Scores of the videos of several games, by game id and half."""


@runtime_checkable
class VideoFeatures(Protocol):
    """Feature rows of one video with their place on the model's clock, cached or computed on the fly."""

    @property
    def features(self) -> Float16[np.ndarray, "rows channels height width"]:
        """Rows in frame order, usually memory-mapped from a cache: read them in chunks."""

    @property
    def valid(self) -> Bool[np.ndarray, "rows"]:
        """False for rows with a missing or damaged picture."""

    @property
    def hop(self) -> int:
        """Frames from one row to the next."""

    @property
    def num_frames(self) -> int:
        """Number of frames of the video."""

    @property
    def rate(self) -> Fraction:
        """Frames per second."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One entry of a results document, with the values that the official scorer uses."""

    position_ms: int
    half: int
    label: str
    confidence: float
    """Any float, including NaN and infinity, which the official scorer accepts too."""
    team: str | None
