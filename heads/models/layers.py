"""Spatial pooling of feature maps to vectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

_MIN_VALUE = 1e-6  # keeps powers and their gradients finite


class GeneralizedMean(nn.Module):
    """Generalized mean (GeM) over a map with a learned power p: 1 is the average, infinity the maximum.

    Radenović, Tolias and Chum, Fine-tuning CNN Image Retrieval with No Human Annotation, TPAMI 2018.
    """

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([3.0]))

    def forward(self, maps: Float[Tensor, "*batch channels y x"]) -> Float[Tensor, "*batch channels"]:
        powers = maps.clamp(min=_MIN_VALUE).pow(self.power)
        return powers.mean(dim=(-2, -1)).pow(1 / self.power)


class AveragePool(nn.Module):
    """Mean over a map."""

    def forward(self, maps: Float[Tensor, "*batch channels y x"]) -> Float[Tensor, "*batch channels"]:
        return maps.mean(dim=(-2, -1))


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
