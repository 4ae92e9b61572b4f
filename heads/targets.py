"""What a head should say of each row: several classes may hold at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float32, Int64

from bas.clock import frame_at
from bas.types import Spot

SIDES = ("left", "right")


def target_classes(classes: Sequence[str], *, teams: bool) -> tuple[str, ...]:
    """Names of a head's outputs: the classes, or ACTION-left and ACTION-right of each in turn."""
    if not teams:
        return tuple(classes)
    return tuple(f"{name}-{side}" for name in classes for side in SIDES)


def target_name(spot: Spot, *, teams: bool) -> str:
    """The output that `spot` belongs to; with teams, its own has to be left or right."""
    if not teams:
        return spot.label
    assert spot.team in SIDES, spot
    return f"{spot.label}-{spot.team}"


def row_targets(
    spots: Iterable[Spot],
    outputs: Sequence[str],
    *,
    frames: Int64[np.ndarray, "rows"],
    rate: Fraction,
    window: int,
    teams: bool,
) -> Float32[np.ndarray, "rows outputs"]:
    """1 where a row's frame lies within a window of `window` frames centered on a spot of that output."""
    targets = np.zeros((len(frames), len(outputs)), np.float32)
    column = {name: k for k, name in enumerate(outputs)}
    for spot in spots:
        near = np.abs(frames - frame_at(spot.position_ms, rate)) <= window // 2
        targets[near, column[target_name(spot, teams=teams)]] = 1
    return targets


def near_any(
    spots: Iterable[Spot], *, frames: Int64[np.ndarray, "rows"], rate: Fraction, window: int
) -> Bool[np.ndarray, "rows"]:
    """Whether a row's frame lies within a window of `window` frames centered on any spot."""
    near = np.zeros(len(frames), bool)
    for spot in spots:
        near |= np.abs(frames - frame_at(spot.position_ms, rate)) <= window // 2
    return near
