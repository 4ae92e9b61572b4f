"""What is true of the rows that windows tell of, as tensors for the loss."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from bas.heads.targets import Targets, swap_teams


@dataclass(frozen=True, slots=True)
class Truth:
    """Of each window, what holds at the rows that it tells of."""

    labels: Float[Tensor, "batch told outputs"]
    displacement: Float[Tensor, "batch told outputs"]
    nearest: Float[Tensor, "batch told"]
    """Displacement of the nearest action of any class."""
    team: Float[Tensor, "batch told"]
    """1 right, 0 left, NaN unknown."""
    counted: Float[Tensor, "batch told"]
    """1 for rows of the video whose pictures are there, else 0."""
    second: bool = field(kw_only=True)
    """Whether this is the second label set."""

    def at(self, windows: Int64[Tensor, "n"]) -> Truth:
        """Of some windows, in their order."""
        values = (self.labels, self.displacement, self.nearest, self.team, self.counted)
        return Truth(*(value[windows] for value in values), second=self.second)

    def mixed(self, other: Truth, share: Float[Tensor, "batch"]) -> Truth:
        """`share` of this and the rest of another; a team stays known only where both know it."""

        def mix(ours: Tensor, theirs: Tensor) -> Tensor:
            weight = share.reshape(-1, *[1] * (ours.ndim - 1))
            return weight * ours + (1 - weight) * theirs

        return Truth(
            mix(self.labels, other.labels),
            mix(self.displacement, other.displacement),
            mix(self.nearest, other.nearest),
            mix(self.team, other.team),
            self.counted * other.counted,
            second=self.second,
        )


def truth_of(
    targets: Targets,
    rows: Int64[np.ndarray, "batch told"],
    *,
    counted: Bool[np.ndarray, "batch told"],
    mirrored: Bool[np.ndarray, "batch"],
    sided: bool,
    second: bool,
    device: torch.device,
) -> Truth:
    """The truth about some rows.

    Args:
        targets: of all rows.
        rows: that each window tells of.
        counted: which of them count.
        mirrored: windows whose pictures are mirrored, so that left is right.
        sided: whether outputs are pairs of left and right.
        second: whether this is the second label set.
        device: of the tensors.
    """
    labels, displacement, team = targets.labels[rows], targets.displacement[rows], targets.team[rows]
    team[mirrored] = 1 - team[mirrored]
    if sided:
        labels[mirrored] = swap_teams(labels[mirrored])
        displacement[mirrored] = swap_teams(displacement[mirrored])
    values = (labels, displacement, targets.nearest[rows], team, counted.astype(np.float32))
    return Truth(*(torch.from_numpy(v).to(device, non_blocking=True) for v in values), second=second)
