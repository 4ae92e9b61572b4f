"""Class names with teams: the one place that knows how ACTION-left is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bas.types import Spot

TEAMS = "left", "right"
"""The two teams, by the side that they defend as the camera sees it."""


def team_column(action: str, team: str) -> str:
    """Name of the score column of one team: PASS and left give `PASS-left`."""
    return f"{action}-{team}"


def split_team(name: str) -> tuple[str, str | None]:
    """Action and team of a score column: `PASS-left` is a pass by the left team."""
    # From the right: an action may contain a dash itself.
    action, _, team = name.rpartition("-")
    return (action, team) if action and team in TEAMS else (name, None)


def actions_of(classes: Sequence[str]) -> tuple[str, ...]:
    """The actions behind score columns, without teams, each once and in order."""
    return tuple(dict.fromkeys(split_team(name)[0] for name in classes))


def target_classes(classes: Sequence[str], *, teams: bool) -> tuple[str, ...]:
    """Names of the score columns: the classes, or with teams ACTION-left and ACTION-right for each class."""
    if not teams:
        return tuple(classes)
    return tuple(team_column(name, team) for name in classes for team in TEAMS)


def output_of(spot: Spot, outputs: Collection[str]) -> str:
    """Name of the output of a spot; if outputs have teams, the spot's team must be left or right."""
    return spot.label if spot.label in outputs else f"{spot.label}-{spot.team}"


def other_team(name: str) -> str:
    """The score column of the other team; a column without a team is its own."""
    action, team = split_team(name)
    return name if team is None else team_column(action, TEAMS[1 - TEAMS.index(team)])


def swap_teams(labels: np.ndarray) -> np.ndarray:
    """Swap the columns of left and right, as mirroring the picture does."""
    # Columns come in pairs, left and right of each action: see `target_classes`.
    sides = labels.reshape(*labels.shape[:-1], labels.shape[-1] // 2, 2)
    return np.ascontiguousarray(sides[..., ::-1]).reshape(labels.shape)
