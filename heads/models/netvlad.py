"""NetVLAD++ and related poolings for ball actions, with separate pools before and after the center row.

Giancola and Ghanem, Temporally-Aware Feature Pooling for Action Spotting in Soccer Broadcasts,
CVPRW 2021. The pooling is NetVLAD (Arandjelović et al., CVPR 2016); without residuals it is NetRVLAD
(Miech et al., Learnable Pooling Methods for Video Classification, 2017). This head differs from the
published one in windows of one to two seconds instead of fifteen, sigmoid outputs without a background
class, and k-means initialization. All of these are settings or training; the network is the same.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import assert_never

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bas.config import NetVLADSettings, Pooling
from bas.errors import DataError
from bas.heads.models.base import FeatureRows, WindowHead
from bas.heads.models.layers import Standardize
from bas.heads.models.outputs import Classifier, Output, Task

_CHUNK_ROWS = 1024


class Pool(nn.Module, ABC):
    """Pools vectors over time in two steps; overlapping windows share the result of the first step."""

    width: int
    """Size of the pooled vector."""

    def forward(self, units: Float[Tensor, "b t d"]) -> Float[Tensor, "b width"]:
        return self.pool(units, self.assign(units))

    @abstractmethod
    def assign(self, units: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t k"]:
        """Per-vector values that `pool` needs, independent of the window."""

    @abstractmethod
    def pool(
        self, units: Float[Tensor, "b t d"], assigned: Float[Tensor, "b t k"]
    ) -> Float[Tensor, "b width"]:
        """Pool over time."""

    def init_from_features(self, units: Float[Tensor, "n d"], *, seed: int) -> None:
        """Data-dependent initialization from training vectors; none by default."""


class MaxOrMeanPool(Pool):
    """Maximum or mean of each channel."""

    def __init__(self, dim: int, *, largest: bool) -> None:
        super().__init__()
        self.width = dim
        self.largest = largest

    def assign(self, units: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t k"]:
        return units[..., :0]

    def pool(
        self, units: Float[Tensor, "b t d"], assigned: Float[Tensor, "b t k"]
    ) -> Float[Tensor, "b width"]:
        return units.amax(dim=1) if self.largest else units.mean(dim=1)


class NetVLAD(Pool):
    """Sums of unit vectors weighted by soft assignment to clusters; with `residuals`, sums of differences from them."""

    def __init__(self, dim: int, clusters: int, *, residuals: bool = True) -> None:
        super().__init__()
        self.width = dim * clusters
        self.assignment = nn.Parameter(torch.randn(dim, clusters) / math.sqrt(dim))
        self.centers = nn.Parameter(torch.randn(dim, clusters) / math.sqrt(dim)) if residuals else None

    def assign(self, units: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t k"]:
        """Soft assignment of each vector to the clusters."""
        return (units @ self.assignment).softmax(dim=-1)

    def pool(
        self, units: Float[Tensor, "b t d"], assigned: Float[Tensor, "b t k"]
    ) -> Float[Tensor, "b width"]:
        """Sums over time, L2-normalized per cluster and then as a whole."""
        sums = units.mT @ assigned
        if self.centers is not None:
            # sum of a * (u - c) = sum of a * u - c * sum of a: no tensor of all residuals is needed.
            sums = sums - self.centers * assigned.sum(dim=1, keepdim=True)
        per_cluster = functional.normalize(sums, dim=1)
        return functional.normalize(rearrange(per_cluster, "b d k -> b (d k)"), dim=1)

    @torch.no_grad()
    def init_from_features(self, units: Float[Tensor, "n d"], *, seed: int) -> None:
        """Set the clusters to the k-means centers of `units`, with assignments of about 100 to 1.

        The sharpness follows Arandjelović et al., section 3.1: the mean gap between a vector's
        nearest and second nearest cluster becomes a factor of 100 in the softmax.

        Raises:
            DataError: there are fewer vectors than clusters.
        """
        from sklearn.cluster import KMeans

        count = self.assignment.shape[1]
        if len(units) < count:
            raise DataError(
                f"Not enough rows to initialize {count} clusters: got {len(units)}. Train on longer videos, or "
                f"pass --set head.clusters={len(units)} or fewer."
            )
        means = KMeans(count, n_init=1, random_state=seed).fit(units.cpu().numpy()).cluster_centers_
        centers = torch.from_numpy(means.astype(np.float32)).to(units)
        directions = functional.normalize(centers, dim=1).T
        sharpness = 1.0
        if count > 1:
            best, second = (units @ directions).topk(2, dim=1).values.unbind(dim=1)
            sharpness = math.log(100) / max(float((best - second).mean()), 1e-3)
        self.assignment.copy_(sharpness * directions)
        if self.centers is not None:
            self.centers.copy_(centers.T)


class TemporalPooling(WindowHead):
    """Projects rows, pools them over the window or separately before and after its middle, and classifies."""

    def __init__(
        self, row_shape: tuple[int, int, int], task: Task, settings: NetVLADSettings, *, window: int
    ) -> None:
        """
        Args:
            row_shape: channels, height and width of a feature row.
            task: outputs required of the head.
            settings: pooling and sizes.
            window: number of rows per window; the first half, rounded down, precedes the center row.
        """
        super().__init__(row_shape, settings.scoring)
        width = math.prod(row_shape)
        before = window // 2
        self.offsets = np.arange(-before, window - before)
        self.standard = Standardize(width)
        self._normalized = "VLAD" in settings.pool
        self.projection = nn.Identity() if width == settings.dim else nn.Linear(width, settings.dim)
        lengths = (before, window - before) if settings.pool.endswith("++") else (window,)
        self._spans = [(start, length) for start, length in zip((0, before), lengths, strict=False)]
        pools = [_pool(settings) for _ in lengths]
        self.pools = nn.ModuleList(pools)
        pooled = sum(pool.width for pool in pools)
        self.classifier = Classifier(pooled, task, scoring=settings.scoring, dropout=settings.dropout)

    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        units = self._project(windows.flatten(2))
        parts = [pool(units[:, start : start + length]) for pool, start, length in self._parts()]
        return self.classify(torch.cat(parts, dim=1))

    @torch.inference_mode()
    def video_logits(self, rows: FeatureRows) -> Float[Tensor, "rows columns"]:
        """Logits of every row. Each row is projected and assigned once; windows are then pooled in chunks."""
        units = torch.cat([self._project(chunk.flatten(1)) for chunk in self.chunks(rows, _CHUNK_ROWS)])
        # Beyond the ends the first or last row repeats, as in training windows.
        units = torch.cat(
            [
                units[:1].expand(-int(self.offsets[0]), -1),
                units,
                units[-1:].expand(int(self.offsets[-1]), -1),
            ]
        )
        assigned = [pool.assign(units) for pool, _, _ in self._parts()]
        logits = []
        for first in range(0, len(rows), _CHUNK_ROWS):
            count = min(_CHUNK_ROWS, len(rows) - first)
            parts = [
                pool.pool(
                    _windows(units, first + start, count, length),
                    _windows(part_assigned, first + start, count, length),
                )
                for (pool, start, length), part_assigned in zip(self._parts(), assigned, strict=True)
            ]
            logits.append(self.classify(torch.cat(parts, dim=1)).logits[:, 0])
        return torch.cat(logits)

    @torch.no_grad()
    def init_from_features(self, rows: FeatureRows, *, seed: int) -> None:
        """Set the standardization, the projection by PCA, and the clusters by k-means."""
        values = torch.cat([chunk.flatten(1) for chunk in self.chunks(rows, _CHUNK_ROWS)])
        self.standard.init_from_features(values)
        if isinstance(self.projection, nn.Linear):
            _init_with_pca(self.projection, self.standard(values))
        units = self._project(values)
        for i, (pool, _, _) in enumerate(self._parts()):
            pool.init_from_features(units, seed=seed + i)

    def _parts(self) -> Iterator[tuple[Pool, int, int]]:
        """Every pool with the start and length of its part of the window, in rows."""
        for pool, (start, length) in zip(self.pools, self._spans, strict=True):
            assert isinstance(pool, Pool)
            yield pool, start, length

    def _project(self, values: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dim"]:
        projected: Tensor = self.projection(self.standard(values))
        return functional.normalize(projected, dim=-1) if self._normalized else projected


def _pool(settings: NetVLADSettings) -> Pool:
    name: Pooling = settings.pool
    match name:
        case "NetVLAD" | "NetVLAD++":
            return NetVLAD(settings.dim, settings.clusters)
        case "NetRVLAD" | "NetRVLAD++":
            return NetVLAD(settings.dim, settings.clusters, residuals=False)
        case "MAX" | "MAX++":
            return MaxOrMeanPool(settings.dim, largest=True)
        case "AVG" | "AVG++":
            return MaxOrMeanPool(settings.dim, largest=False)
        case _:
            assert_never(name)


def _windows(values: Float[Tensor, "n d"], first: int, count: int, length: int) -> Float[Tensor, "count t d"]:
    """View of `count` windows of `length` rows, one row apart, starting at row `first`."""
    return values[first : first + count + length - 1].unfold(0, length, 1).mT


def _init_with_pca(linear: nn.Linear, values: Float[Tensor, "n width"]) -> None:
    """Set a linear layer to whiten `values` along their principal axes.

    Outputs beyond the rank of `values` keep their random weights.
    """
    _, singular, axes = torch.svd_lowrank(values, q=min(linear.out_features, *values.shape), niter=2)
    deviations = singular / math.sqrt(len(values))
    # Axes of almost no variance would be divided by almost 0 and amplify noise.
    rank = int((deviations > 1e-4 * deviations[0].clamp(min=1e-6)).sum())
    linear.weight[:rank] = (axes[:, :rank] / deviations[:rank]).T
    linear.bias.zero_()
