"""The loss of multi-label windows."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def sigmoid_focal(
    logits: Float[Tensor, "batch classes"],
    targets: Float[Tensor, "batch classes"],
    *,
    gamma: float,
    alpha: float,
) -> Float[Tensor, ""]:
    """Binary cross-entropy where what is already right counts little; positives weigh `alpha`.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017; targets may lie between 0 and 1.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    right = torch.exp(-entropy)
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return (weight * (1 - right) ** gamma * entropy).mean()
