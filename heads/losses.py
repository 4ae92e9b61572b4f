"""What training minimizes: class loss, displacement and team, over the rows that count."""

from __future__ import annotations

from typing import assert_never

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bas.config import FitSettings, Scoring
from bas.heads.outputs import Output
from bas.heads.truth import Truth


def head_loss(output: Output, truth: Truth, *, scoring: Scoring, settings: FitSettings) -> Float[Tensor, ""]:
    """The loss of some windows, by its own label set's outputs alone."""
    logits = output.second if truth.second else output.logits
    assert logits is not None
    loss = _mean(_class_loss(logits.float(), truth.labels, scoring, settings), truth.counted)
    if output.displacement is not None:
        moved = output.displacement.float()
        shared = moved.shape[2] == 1
        if shared or not truth.second:
            wanted = truth.nearest[..., None] if shared else truth.displacement
            squared = (moved - wanted).square().mean(dim=2)
            loss = loss + settings.displacement_weight * _mean(squared, truth.counted)
    if output.team is not None:
        known = truth.team.isfinite()
        entropy = functional.binary_cross_entropy_with_logits(
            output.team.float(), torch.where(known, truth.team, 0.0), reduction="none"
        )
        loss = loss + settings.team_weight * _mean(entropy, truth.counted * known)
    return loss


def sigmoid_focal(
    logits: Float[Tensor, "*batch classes"],
    targets: Float[Tensor, "*batch classes"],
    *,
    gamma: float,
    alpha: float | None,
) -> Float[Tensor, "*batch classes"]:
    """Binary cross-entropy where what is already right counts little; positives weigh `alpha`.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017; targets may lie between 0 and 1.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    weight = 1.0 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (1 - torch.exp(-entropy)) ** gamma * entropy


def weighted_cross_entropy(
    logits: Float[Tensor, "*batch columns"],
    distribution: Float[Tensor, "*batch columns"],
    *,
    foreground_weight: float,
) -> Float[Tensor, "*batch"]:
    """Cross-entropy with a distribution over background and classes, each class weighing more than the background."""
    entropy = -distribution * logits.log_softmax(dim=-1)
    return entropy[..., 0] + foreground_weight * entropy[..., 1:].sum(dim=-1)


def _class_loss(
    logits: Float[Tensor, "batch told columns"],
    labels: Float[Tensor, "batch told classes"],
    scoring: Scoring,
    settings: FitSettings,
) -> Float[Tensor, "batch told"]:
    gamma, alpha = settings.focal_gamma, settings.focal_alpha
    match scoring:
        case "sigmoid":
            return sigmoid_focal(logits, labels, gamma=gamma, alpha=alpha).mean(dim=2)
        case "sigmoid+background":
            background = (1 - labels.sum(dim=2, keepdim=True)).clamp(min=0)
            columns = torch.cat([background, labels], dim=2)
            return sigmoid_focal(logits, columns, gamma=gamma, alpha=alpha).mean(dim=2)
        case "softmax":
            return weighted_cross_entropy(
                logits, _distribution(labels), foreground_weight=settings.foreground_weight
            )
        case _:
            assert_never(scoring)


def _distribution(labels: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch columns"]:
    """Classes that hold together share the row; what they leave is background."""
    foreground = labels / labels.sum(dim=-1, keepdim=True).clamp(min=1)
    return torch.cat([1 - foreground.sum(dim=-1, keepdim=True), foreground], dim=-1)


def _mean(values: Float[Tensor, "batch told"], counted: Float[Tensor, "batch told"]) -> Float[Tensor, ""]:
    """Over the rows that count; 0 where none does."""
    flat, weights = rearrange(values, "b t -> (b t)"), rearrange(counted, "b t -> (b t)")
    return (flat * weights).sum() / weights.sum().clamp(min=1)
