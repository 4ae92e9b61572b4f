"""Training losses of heads: classes, displacement and team, averaged over the rows that count."""

from __future__ import annotations

from typing import assert_never

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bas.config import FitSettings, Scoring
from bas.heads.models.outputs import Output
from bas.heads.training.targets import TargetBatch


def head_loss(
    output: Output, targets: TargetBatch, *, scoring: Scoring, settings: FitSettings
) -> Float[Tensor, ""]:
    """Loss of a batch; only the outputs of the batch's own label set contribute."""
    logits = output.second_logits if targets.is_second_label_set else output.logits
    assert logits is not None
    loss = _mean(_class_loss(logits.float(), targets.labels, scoring, settings), targets.mask)
    if output.displacement is not None:
        displacement = output.displacement.float()
        # Displacement per class has columns of the first label set alone; a shared one fits both.
        shared = displacement.shape[2] == 1
        if shared or not targets.is_second_label_set:
            expected = targets.nearest_displacement[..., None] if shared else targets.displacement
            squared = (displacement - expected).square().mean(dim=2)
            loss = loss + settings.displacement_weight * _mean(squared, targets.mask)
    if output.team is not None:
        known = targets.team.isfinite()
        # Unknown teams are set to 0 before the loss, because NaN times a mask of 0 is still NaN.
        entropy = functional.binary_cross_entropy_with_logits(
            output.team.float(), torch.where(known, targets.team, 0.0), reduction="none"
        )
        loss = loss + settings.team_weight * _mean(entropy, targets.mask * known)
    return loss


def sigmoid_focal(
    logits: Float[Tensor, "*batch classes"],
    targets: Float[Tensor, "*batch classes"],
    *,
    gamma: float,
    alpha: float | None,
) -> Float[Tensor, "*batch classes"]:
    """Binary cross-entropy, down-weighted by `gamma` for easy examples; positives weigh `alpha`, negatives 1 - `alpha`.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017. Targets may lie between 0 and 1.
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
    """Cross-entropy against a distribution over background (column 0) and classes, with weighted classes."""
    entropy = -distribution * logits.log_softmax(dim=-1)
    return entropy[..., 0] + foreground_weight * entropy[..., 1:].sum(dim=-1)


def _class_loss(
    logits: Float[Tensor, "batch targets columns"],
    labels: Float[Tensor, "batch targets classes"],
    scoring: Scoring,
    settings: FitSettings,
) -> Float[Tensor, "batch targets"]:
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
    """Labels as a distribution: classes of one row share it equally, the remainder is background."""
    foreground = labels / labels.sum(dim=-1, keepdim=True).clamp(min=1)
    return torch.cat([1 - foreground.sum(dim=-1, keepdim=True), foreground], dim=-1)


def _mean(values: Float[Tensor, "batch targets"], mask: Float[Tensor, "batch targets"]) -> Float[Tensor, ""]:
    """Mean over the rows in the mask; 0 if there are none."""
    flat, weights = rearrange(values, "b t -> (b t)"), rearrange(mask, "b t -> (b t)")
    return (flat * weights).sum() / weights.sum().clamp(min=1)
