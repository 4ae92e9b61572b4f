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
