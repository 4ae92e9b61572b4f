"""Training targets of feature rows; a row may be near several actions at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from bas.clock import frame_at
from bas.types import Spot
from bas.vocabulary import TEAMS, output_of, swap_teams


@dataclass(frozen=True, slots=True)
class Targets:
    """Training targets of every row of one or several videos."""

    labels: Float32[np.ndarray, "rows outputs"]
    """1 near an action of the output, else 0."""
    displacement: Float32[np.ndarray, "rows outputs"]
    """Rows from the nearest action of the output to the row; 0 if none is near."""
    nearest_displacement: Float32[np.ndarray, "rows"]
    """Rows from the nearest action of any output to the row; 0 if none is near."""
    team: Float32[np.ndarray, "rows"]
    """Team of the nearest action: 1 right, 0 left, NaN if no action is near or its team is unknown."""


def concatenate_targets(parts: Sequence[Targets]) -> Targets:
    """Concatenate the targets of several videos."""
    names = [field.name for field in fields(Targets)]
    return Targets(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


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
        spots: annotations of the video; if outputs have teams, every spot needs one.
        outputs: names of the head's class logits, with or without teams.
        frames: frame of each row.
        rate: frames per second.
        hop: frames between neighboring rows.
        window: length in frames of the labeled window, centered on an action.
        displacement_window: length in frames of the window with displacement and team targets.
    """
    column = {name: k for k, name in enumerate(outputs)}
    labels = np.zeros((len(frames), len(outputs)), np.float32)
    displacement = np.zeros((len(frames), len(outputs)), np.float32)
    nearest, team = np.zeros(len(frames), np.float32), np.full(len(frames), np.nan, np.float32)
    # Distance in frames to the nearest action so far, per output and over all outputs; the first of equals wins.
    class_distance = np.full((len(frames), len(outputs)), np.inf)
    any_distance = np.full(len(frames), np.inf)
    for spot in spots:
        k = column[output_of(spot, outputs)]
        offset = frames - frame_at(spot.position_ms, rate)
        distance = np.abs(offset)
        labels[distance <= window // 2, k] = 1
        near = distance <= displacement_window // 2
        of_class = near & (distance < class_distance[:, k])
        displacement[of_class, k], class_distance[of_class, k] = offset[of_class] / hop, distance[of_class]
        of_any = near & (distance < any_distance)
        nearest[of_any], any_distance[of_any] = offset[of_any] / hop, distance[of_any]
        team[of_any] = float(spot.team == "right") if spot.team in TEAMS else np.nan
    return Targets(labels, displacement, nearest, team)


def near_spots(
    spots: Sequence[Spot], *, frames: Int64[np.ndarray, "rows"], rate: Fraction, window: int
) -> Bool[np.ndarray, "rows"]:
    """Whether each row's frame lies in a window of `window` frames centered on any spot."""
    near = np.zeros(len(frames), bool)
    for spot in spots:
        near |= np.abs(frames - frame_at(spot.position_ms, rate)) <= window // 2
    return near


@dataclass(frozen=True, slots=True)
class TargetBatch:
    """Targets of the target rows of each window."""

    labels: Float[Tensor, "batch targets outputs"]
    displacement: Float[Tensor, "batch targets outputs"]
    """Rows from the nearest action of each output to the row."""
    nearest_displacement: Float[Tensor, "batch targets"]
    """Rows from the nearest action of any class to the row."""
    team: Float[Tensor, "batch targets"]
    """1 for the right team, 0 for the left, NaN if unknown."""
    mask: Float[Tensor, "batch targets"]
    """1 for rows inside the video with valid pictures, else 0."""
    is_second_label_set: bool = field(kw_only=True)
    """Whether the targets belong to the second label set."""

    def select(self, windows: Int64[Tensor, "n"]) -> TargetBatch:
        """Targets of the given windows, in that order."""
        values = (self.labels, self.displacement, self.nearest_displacement, self.team, self.mask)
        return TargetBatch(
            *(value[windows] for value in values), is_second_label_set=self.is_second_label_set
        )

    def mixed_with(self, other: TargetBatch, share: Float[Tensor, "batch"]) -> TargetBatch:
        """Mix with `other`, weighted `share` to `1 - share`; a team stays known only where both know it."""

        def mix(ours: Tensor, theirs: Tensor) -> Tensor:
            weight = share.reshape(-1, *[1] * (ours.ndim - 1))
            return weight * ours + (1 - weight) * theirs

        return TargetBatch(
            mix(self.labels, other.labels),
            mix(self.displacement, other.displacement),
            mix(self.nearest_displacement, other.nearest_displacement),
            mix(self.team, other.team),  # NaN, unknown, wins
            self.mask * other.mask,
            is_second_label_set=self.is_second_label_set,
        )


def target_batch(
    targets: Targets,
    rows: Int64[np.ndarray, "batch targets"],
    *,
    mask: Bool[np.ndarray, "batch targets"],
    mirrored: Bool[np.ndarray, "batch"],
    team_classes: bool,
    is_second_label_set: bool,
    device: torch.device,
) -> TargetBatch:
    """Gather the targets of windows as tensors.

    Args:
        targets: targets of all rows.
        rows: numbers of the target rows of each window.
        mask: target rows that count in the loss.
        mirrored: windows with mirrored pictures, where left and right are swapped.
        team_classes: whether outputs are pairs of left and right.
        is_second_label_set: whether the targets belong to the second label set.
        device: device of the tensors.
    """
    labels, displacement, team = targets.labels[rows], targets.displacement[rows], targets.team[rows]
    team[mirrored] = 1 - team[mirrored]  # indexing with `rows` copied: the caller's targets do not change
    if team_classes:
        labels[mirrored] = swap_teams(labels[mirrored])
        displacement[mirrored] = swap_teams(displacement[mirrored])
    values = (labels, displacement, targets.nearest_displacement[rows], team, mask.astype(np.float32))
    return TargetBatch(
        *(torch.from_numpy(v).to(device, non_blocking=True) for v in values),
        is_second_label_set=is_second_label_set,
    )
