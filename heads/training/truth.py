"""Training targets as tensors, with a mask of the rows that count."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from bas.heads.training.targets import Targets, swap_teams


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
