"""Team-mAP, which the 2025 challenge ranks: each action scored by the team that performs it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bas.evaluate.precision import average_precision, support, team_average
from bas.evaluate.soccernet import Prediction
from bas.evaluate.timelines import TEAMS, team_timeline
from bas.types import Spot


@dataclass(frozen=True, slots=True)
class ActionScore:
    """The row of one action; NaN where it never occurs."""

    label: str
    ap: float
    ap_visible: float
    ap_unshown: float
    num_left: int
    num_right: int


@dataclass(frozen=True, slots=True)
class TeamScore:
    """Team-mAP and what it is made of; each mean is NaN as soon as one action never occurs."""

    rows: tuple[ActionScore, ...]
    mean_ap: float
    mean_ap_visible: float
    mean_ap_unshown: float

    @property
    def mean_ap_defined(self) -> float:
        """Mean over the actions that occur."""
        occurring = [row.ap for row in self.rows if not math.isnan(row.ap)]
        return float(np.mean(occurring)) if occurring else math.nan


def team_score(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
    framerate: int,
    tolerances: Sequence[float],
) -> TeamScore:
    """Score every game as one timeline, in columns of action and team.

    The AP of an action is that of its two columns weighted by their spots; visible and unshown
    ones use the same weights.
    """
    timelines = [
        team_timeline(spots, predictions[game], classes=classes, framerate=framerate)
        for game, spots in labels.items()
    ]
    num_columns = len(TEAMS) * len(classes)
    scored = average_precision(timelines, num_classes=num_columns, framerate=framerate, tolerances=tolerances)
    weights = support(timelines, num_classes=num_columns)
    every, visible, unshown = (
        team_average(side.per_class, weights) for side in (scored.every, scored.visible, scored.unshown)
    )
    num_spots = [sum(len(t.spots[column].frames) for t in timelines) for column in range(num_columns)]
    rows = tuple(
        ActionScore(
            label,
            ap=float(every.per_class[k]),
            ap_visible=float(visible.per_class[k]),
            ap_unshown=float(unshown.per_class[k]),
            num_left=num_spots[2 * k],
            num_right=num_spots[2 * k + 1],
        )
        for k, label in enumerate(classes)
    )
    return TeamScore(rows, every.mean, visible.mean, unshown.mean)


def why_no_teams(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
) -> str | None:
    """Why Team-mAP cannot be given, or None if it can."""
    annotated = [spot.team for spots in labels.values() for spot in spots if spot.label in classes]
    claimed = [p.team for each in predictions.values() for p in each if p.label in classes]
    if {"home", "away"} & set(annotated):
        return (
            "no Team-mAP: the labels say home and away, and no file tells which of them is left in the picture; "
            "the labels of the 2025 edition say left and right"
        )
    if not set(TEAMS) & set(annotated):
        return "no Team-mAP: the labels do not say which team, left or right, acts"
    if not set(annotated) <= set(TEAMS):
        return f"no Team-mAP: {_others(annotated):,} of {len(annotated):,} annotations are neither left nor right"
    if not set(TEAMS) & set(claimed):
        return "no Team-mAP: the predictions name no teams"
    if not set(claimed) <= set(TEAMS):
        return (
            f"no Team-mAP: {_others(claimed):,} of {len(claimed):,} predictions name no team, left or right; "
            "the official scorer stops at the first of them"
        )
    return None


def _others(teams: Sequence[str | None]) -> int:
    return sum(team not in TEAMS for team in teams)
