"""Team-mAP, the ranking metric of the 2025 challenge: each action is scored separately for each team."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bas.evaluate.metric.average_precision import average_precision, support, team_average
from bas.evaluate.metric.timelines import team_timeline
from bas.types import Prediction, Spot
from bas.vocabulary import TEAMS


@dataclass(frozen=True, slots=True)
class TeamActionAP:
    """AP of one action over both teams; NaN if it never occurs."""

    label: str
    ap: float
    ap_visible: float
    ap_unshown: float
    num_left: int
    num_right: int


@dataclass(frozen=True, slots=True)
class TeamScore:
    """Team-mAP with its per-action values; every mean is NaN if any action never occurs."""

    actions: tuple[TeamActionAP, ...]
    mean_ap: float
    mean_ap_visible: float
    mean_ap_unshown: float

    @property
    def mean_ap_defined(self) -> float:
        """Mean over the actions that occur; NaN if none does."""
        occurring = [action.ap for action in self.actions if not math.isnan(action.ap)]
        return float(np.mean(occurring)) if occurring else math.nan


def team_score(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
    framerate: int,
    tolerances: Sequence[float],
) -> TeamScore:
    """Score every game as one timeline, with one column per action and team.

    The AP of an action is the mean of its two columns, weighted by their spots. The APs of visible
    and of unshown spots use the same weights.
    """
    timelines = [
        team_timeline(spots, predictions[game], classes=classes, framerate=framerate)
        for game, spots in labels.items()
    ]
    num_columns = len(TEAMS) * len(classes)
    scored = average_precision(timelines, num_classes=num_columns, framerate=framerate, tolerances=tolerances)
    weights = support(timelines, num_classes=num_columns)
    overall, visible, unshown = (
        team_average(variant.per_class, weights)
        for variant in (scored.overall, scored.visible, scored.unshown)
    )
    num_spots = [sum(len(t.spots[column].frames) for t in timelines) for column in range(num_columns)]
    actions = tuple(
        TeamActionAP(
            label,
            ap=float(overall.per_class[k]),
            ap_visible=float(visible.per_class[k]),
            ap_unshown=float(unshown.per_class[k]),
            num_left=num_spots[2 * k],
            num_right=num_spots[2 * k + 1],
        )
        for k, label in enumerate(classes)
    )
    return TeamScore(actions, overall.mean, visible.mean, unshown.mean)


def why_no_teams(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
) -> str | None:
    """Reason why Team-mAP cannot be computed, or None if it can."""
    annotated = [spot.team for spots in labels.values() for spot in spots if spot.label in classes]
    predicted = [p.team for each in predictions.values() for p in each if p.label in classes]
    if {"home", "away"} & set(annotated):
        return (
            "no Team-mAP: the labels name home and away, and no file says which of the two is on the left of the "
            "picture; the labels of the 2025 edition name left and right"
        )
    if not set(TEAMS) & set(annotated):
        return "no Team-mAP: the labels do not name the team, left or right"
    if not set(annotated) <= set(TEAMS):
        return f"no Team-mAP: {_others(annotated):,} of {len(annotated):,} annotations name neither left nor right"
    if not set(TEAMS) & set(predicted):
        return "no Team-mAP: the predictions name no teams"
    if not set(predicted) <= set(TEAMS):
        return (
            f"no Team-mAP: {_others(predicted):,} of {len(predicted):,} predictions name neither left nor right; "
            "the official scorer stops at the first of them"
        )
    return None


def _others(teams: Sequence[str | None]) -> int:
    return sum(team not in TEAMS for team in teams)
