"""Class names with teams: the one place that knows how ACTION-left is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bas.types import Spot

TEAM_SUFFIXES = "-left", "-right"
"""Suffixes of the score columns that belong to one team."""


def split_team(name: str) -> tuple[str, str | None]:
    """Action and team of a score column: `PASS-left` is a pass by the left team."""
    for suffix in TEAM_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix[1:]
    return name, None


def actions_of(classes: Sequence[str]) -> tuple[str, ...]:
    """The actions behind score columns, without teams, each once and in order."""
    return tuple(dict.fromkeys(split_team(name)[0] for name in classes))


SIDES = ("left", "right")


def target_classes(classes: Sequence[str], *, teams: bool) -> tuple[str, ...]:
    """Names of the score columns: the classes, or with teams ACTION-left and ACTION-right for each class."""
    if not teams:
        return tuple(classes)
    return tuple(f"{name}-{side}" for name in classes for side in SIDES)


def output_of(spot: Spot, outputs: Collection[str]) -> str:
    """Name of the output of a spot; if outputs have teams, the spot's team must be left or right."""
    return spot.label if spot.label in outputs else f"{spot.label}-{spot.team}"


def swap_teams(labels: np.ndarray) -> np.ndarray:
    """Swap the columns of left and right, as mirroring the picture does."""
    sides = labels.reshape(*labels.shape[:-1], labels.shape[-1] // 2, 2)
    return np.ascontiguousarray(sides[..., ::-1]).reshape(labels.shape)


def _other_team(name: str) -> str:
    left, right = TEAM_SUFFIXES
    if name.endswith(left):
        return name.removesuffix(left) + right
    return name.removesuffix(right) + left if name.endswith(right) else name


TEAMS = "left", "right"
