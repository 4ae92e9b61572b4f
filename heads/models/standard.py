"""Standardization of feature rows, so that a head need not learn the scale of its encoder."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

_MIN_STD = 1e-3  # keeps constant channels finite


class Standardize(nn.Module):
    """Subtracts the mean of each value over the training rows and divides by its standard deviation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(width))
        self.scale = nn.Buffer(torch.ones(width))

    def forward(self, values: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        return (values - self.mean) * self.scale

    @torch.no_grad()
    def init_from_features(self, values: Float[Tensor, "n width"]) -> None:
        """Set mean and scale from training values."""
        self.mean.copy_(values.mean(dim=0))
        self.scale.copy_(1 / values.std(dim=0, correction=0).clamp(min=_MIN_STD))
