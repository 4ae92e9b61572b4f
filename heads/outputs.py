"""What heads put out: logits, where an action really is, whose it is; and how that becomes scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bas.config import Scoring

NUM_BACKGROUND = 1
"""Columns before the classes, where a head has a background: always the first."""
_RARE = 0.05  # share of windows that a class is expected in, for the first bias


@dataclass(frozen=True, slots=True)
class Task:
    """What a head has to say."""

    classes: int
    """Columns of its scores, before a team output doubles them."""
    team: bool = False
    """Whether it tells the team of every row: `teams: output`."""
    second_classes: int = 0
    """Of another label set, told by an output layer of its own while the head trains; 0 for none."""


class Output(NamedTuple):
    """What a head says of the rows it tells of."""

    logits: Float[Tensor, "batch told columns"]
    """A column a class; with a background, that first."""
    second: Float[Tensor, "batch told second_columns"] | None = None
    """Logits of the second label set."""
    displacement: Float[Tensor, "batch told one_or_classes"] | None = None
    """Rows from the nearest action to this row: one number for all classes, or one a class."""
    team: Float[Tensor, "batch told"] | None = None
    """Logit of the right team."""


def join(parts: Sequence[Output]) -> Output:
    """What a head said of several batches, as of one."""

    def joined(values: Sequence[Tensor | None]) -> Tensor | None:
        there = [value for value in values if value is not None]
        return torch.cat(there) if there else None

    logits, *others = map(joined, zip(*parts, strict=True))
    assert logits is not None
    return Output(logits, *others)


class Classifier(nn.Module):
    """Dropout and one linear layer; with a second label set, one more that only training asks."""

    def __init__(self, width: int, task: Task, *, scoring: Scoring, dropout: float) -> None:
        super().__init__()
        background = 0 if scoring == "sigmoid" else NUM_BACKGROUND
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Linear(width, task.classes + background)
        self.second = nn.Linear(width, task.second_classes + background) if task.second_classes else None
        if scoring == "sigmoid":
            for layer in filter(None, (self.layer, self.second)):
                nn.init.constant_(layer.bias, math.log(_RARE / (1 - _RARE)))

    def forward(
        self, values: Float[Tensor, "*batch width"]
    ) -> tuple[Float[Tensor, "*batch columns"], Float[Tensor, "*batch second_columns"] | None]:
        kept = self.dropout(values)
        return self.layer(kept), None if self.second is None else self.second(kept)


def class_scores(
    logits: Float[Tensor, "*batch columns"], scoring: Scoring
) -> Float[Tensor, "*batch classes"]:
    """Scores in [0, 1] of the classes, without the background."""
    match scoring:
        case "sigmoid":
            return logits.sigmoid()
        case "sigmoid+background":
            return logits[..., NUM_BACKGROUND:].sigmoid()
        case "softmax":
            return logits.softmax(dim=-1)[..., NUM_BACKGROUND:]


def split_by_team(
    scores: Float[Tensor, "*batch told classes"], right: Float[Tensor, "*batch told"]
) -> Float[Tensor, "*batch told twice_classes"]:
    """Columns ACTION-left and ACTION-right of each class: its score shared out by the team's probability.

    sn-teamspotting, 2025.
    """
    sides = torch.stack([1 - right, right], dim=-1)
    return rearrange(scores[..., None] * sides[..., None, :], "... c two -> ... (c two)")


def displace(
    scores: Float[Tensor, "batch told classes"], displacement: Float[Tensor, "batch told one_or_classes"]
) -> Float[Tensor, "batch told classes"]:
    """Move the scores of each row to the row where the action is; where several land, the highest stays.

    A displacement of d rows says that the action was d rows ago; halves round to even, and no score
    leaves the clip (Xarles et al., T-DEED, CVPR Workshops 2024).
    """
    rows = torch.arange(scores.shape[1], device=scores.device)[:, None]
    landing = (rows - displacement.round().long()).clamp(0, scores.shape[1] - 1).expand_as(scores)
    return torch.zeros_like(scores).scatter_reduce(1, landing, scores, "amax")
