"""What a head should say of each row: several classes may hold at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float32, Int64

from bas.clock import frame_at
from bas.config import Pipeline
from bas.heads.outputs import Task
from bas.types import Spot

SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Targets:
    """What is true of each row of one or many videos."""

    labels: Float32[np.ndarray, "rows outputs"]
    """1 near an action of that output."""
    displacement: Float32[np.ndarray, "rows outputs"]
    """Rows from the nearest action of that output to the row; 0 where none is near."""
    nearest: Float32[np.ndarray, "rows"]
    """The same for the nearest action of any output."""
    team: Float32[np.ndarray, "rows"]
    """1 where the nearest action is of the right team, 0 of the left, NaN where none is near or it has no team."""


def join(parts: Sequence[Targets]) -> Targets:
    """Targets of many videos, one after the other."""
    return Targets(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.displacement for part in parts]),
        np.concatenate([part.nearest for part in parts]),
        np.concatenate([part.team for part in parts]),
    )


def target_classes(classes: Sequence[str], *, teams: bool) -> tuple[str, ...]:
    """Names of score columns: the classes, or ACTION-left and ACTION-right of each in turn."""
    if not teams:
        return tuple(classes)
    return tuple(f"{name}-{side}" for name in classes for side in SIDES)


def output_of(spot: Spot, outputs: Collection[str]) -> str:
    """The output that an action belongs to; where outputs have teams, its own has to be left or right."""
    return spot.label if spot.label in outputs else f"{spot.label}-{spot.team}"


def task_of(settings: Pipeline, *, actions: int, second_classes: int = 0) -> Task:
    """What a head has to say of so many actions."""
    doubled = settings.fit.teams == "classes"
    return Task(2 * actions if doubled else actions, settings.fit.teams == "output", second_classes)


def row_targets(
    spots: Sequence[Spot],
    outputs: Sequence[str],
    *,
    frames: Int64[np.ndarray, "rows"],
    rate: Fraction,
    hop: int,
    window: int,
    displacement_window: int,
) -> Targets:
    """Targets of the rows of one video.

    Args:
        spots: annotations; of those without a team, none may belong to outputs with one.
        outputs: class logits of the head, with or without teams.
        frames: tick of each row.
        rate: ticks a second.
        hop: ticks from one row to the next.
        window: ticks centered on an action in which it is labeled.
        displacement_window: ticks centered on an action in which displacement and team are told.
    """
    column = {name: k for k, name in enumerate(outputs)}
    labels = np.zeros((len(frames), len(outputs)), np.float32)
    displacement = np.zeros((len(frames), len(outputs)), np.float32)
    nearest, team = np.zeros(len(frames), np.float32), np.full(len(frames), np.nan, np.float32)
    closest = np.full((len(frames), len(outputs)), np.inf)
    closest_of_all = np.full(len(frames), np.inf)
    for spot in spots:
        k = column[output_of(spot, outputs)]
        ticks = frames - frame_at(spot.position_ms, rate)
        distance = np.abs(ticks)
        labels[distance <= window // 2, k] = 1
        told = distance <= displacement_window // 2
        of_class = told & (distance < closest[:, k])
        displacement[of_class, k], closest[of_class, k] = ticks[of_class] / hop, distance[of_class]
        of_all = told & (distance < closest_of_all)
        nearest[of_all], closest_of_all[of_all] = ticks[of_all] / hop, distance[of_all]
        team[of_all] = float(spot.team == "right") if spot.team in SIDES else np.nan
    return Targets(labels, displacement, nearest, team)


def near_spots(
    spots: Sequence[Spot], *, frames: Int64[np.ndarray, "rows"], rate: Fraction, window: int
) -> Bool[np.ndarray, "rows"]:
    """Whether a row's tick lies within a window of `window` ticks centered on any spot."""
    near = np.zeros(len(frames), bool)
    for spot in spots:
        near |= np.abs(frames - frame_at(spot.position_ms, rate)) <= window // 2
    return near


def swap_teams(labels: np.ndarray) -> np.ndarray:
    """Columns of left and right exchanged, as in a mirrored picture."""
    sides = labels.reshape(*labels.shape[:-1], labels.shape[-1] // 2, 2)
    return np.ascontiguousarray(sides[..., ::-1]).reshape(labels.shape)
