"""Rows in units of their own spread, so that a head need not learn the scale of its encoder."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

_SMALLEST_DEVIATION = 1e-3  # a constant channel stays finite


class Standardize(nn.Module):
    """Take away each value's mean over the training rows and divide by its deviation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(width))
        self.scale = nn.Buffer(torch.ones(width))

    def forward(self, values: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        return (values - self.mean) * self.scale

    @torch.no_grad()
    def start(self, values: Float[Tensor, "n width"]) -> None:
        """Read mean and deviation off training values."""
        self.mean.copy_(values.mean(dim=0))
        self.scale.copy_(1 / values.std(dim=0, correction=0).clamp(min=_SMALLEST_DEVIATION))
