"""Outputs of heads (class logits, displacement, team) and their conversion to scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bas.config import Pipeline, Scoring

NUM_BACKGROUND = 1

"""Number of background columns, where a head has them; they come before the classes."""

_PRIOR = 0.05  # expected share of windows with a class; sets the initial bias


@dataclass(frozen=True, slots=True)
class Task:
    """Outputs required of a head."""

    classes: int
    """Number of score columns, before a team output doubles them."""
    team: bool = False
    """Whether the head has an output for the team of every row (`teams: output`)."""
    second_classes: int = 0
    """Number of classes of a second label set, which has its own output layer in training; 0 for none."""


class Output(NamedTuple):
    """Outputs of a head for the target rows of a batch."""

    logits: Float[Tensor, "batch targets columns"]
    """Class logits, one column per class, after the background column if there is one."""
    second_logits: Float[Tensor, "batch targets second_columns"] | None = None
    """Class logits of the second label set."""
    displacement: Float[Tensor, "batch targets one_or_classes"] | None = None
    """Rows from the nearest action to the target row: one value for all classes, or one per class."""
    team: Float[Tensor, "batch targets"] | None = None
    """Logit that the action belongs to the team on the right."""


def concatenate_outputs(parts: Sequence[Output]) -> Output:
    """Concatenate the outputs of several batches."""

    def concatenate(values: Sequence[Tensor | None]) -> Tensor | None:
        present = [value for value in values if value is not None]
        return torch.cat(present) if present else None

    logits, *others = map(concatenate, zip(*parts, strict=True))
    assert logits is not None
    return Output(logits, *others)


class Classifier(nn.Module):
    """Dropout and one linear layer, plus a layer for the second label set that only training uses."""

    def __init__(self, width: int, task: Task, *, scoring: Scoring, dropout: float) -> None:
        super().__init__()
        background = 0 if scoring == "sigmoid" else NUM_BACKGROUND
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Linear(width, task.classes + background)
        self.second = nn.Linear(width, task.second_classes + background) if task.second_classes else None
        if scoring == "sigmoid":
            for layer in filter(None, (self.layer, self.second)):
                nn.init.constant_(layer.bias, math.log(_PRIOR / (1 - _PRIOR)))

    def forward(
        self, values: Float[Tensor, "*batch width"]
    ) -> tuple[Float[Tensor, "*batch columns"], Float[Tensor, "*batch second_columns"] | None]:
        kept = self.dropout(values)
        return self.layer(kept), None if self.second is None else self.second(kept)


def class_scores(
    logits: Float[Tensor, "*batch columns"], scoring: Scoring
) -> Float[Tensor, "*batch classes"]:
    """Scores in [0, 1] of the classes, without the background column."""
    match scoring:
        case "sigmoid":
            return logits.sigmoid()
        case "sigmoid+background":
            return logits[..., NUM_BACKGROUND:].sigmoid()
        case "softmax":
            return logits.softmax(dim=-1)[..., NUM_BACKGROUND:]


def split_by_team(
    scores: Float[Tensor, "*batch targets classes"], right: Float[Tensor, "*batch targets"]
) -> Float[Tensor, "*batch targets twice_classes"]:
    """Split each class score into columns ACTION-left and ACTION-right by the team probability.

    As in sn-teamspotting, 2025.

    Args:
        scores: class scores.
        right: probability of the team on the right.
    """
    sides = torch.stack([1 - right, right], dim=-1)
    return rearrange(scores[..., None] * sides[..., None, :], "... c two -> ... (c two)")


def displace(
    scores: Float[Tensor, "batch targets classes"],
    displacement: Float[Tensor, "batch targets one_or_classes"],
) -> Float[Tensor, "batch targets classes"]:
    """Move the scores of each row to the row of the predicted action, and keep the maximum of those that collide.

    A displacement of d rows means that the action is d rows earlier. Halves round to even, and scores
    are clamped to the sequence (Xarles et al., T-DEED, CVPR Workshops 2024).
    """
    rows = torch.arange(scores.shape[1], device=scores.device)[:, None]
    destination = (rows - displacement.round().long()).clamp(0, scores.shape[1] - 1).expand_as(scores)
    return torch.zeros_like(scores).scatter_reduce(1, destination, scores, "amax")


def task_of(settings: Pipeline, *, actions: int, second_classes: int = 0) -> Task:
    """Outputs required of a head for the given numbers of classes."""
    doubled = settings.fit.teams == "classes"
    return Task(2 * actions if doubled else actions, settings.fit.teams == "output", second_classes)
