"""NetVLAD++ sized for ball actions: what happens before a frame and after it, a vocabulary each.

Giancola and Ghanem, Temporally-Aware Feature Pooling for Action Spotting in Soccer Broadcasts,
CVPRW 2021; the pooling is that of Arandjelović et al., NetVLAD, CVPR 2016. Windows of one to two
seconds instead of fifteen, sigmoid outputs without a background class, and a start from k-means
set this head apart from the published one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bas.errors import DataError
from bas.heads.head import Head, Rows

_RARE = 0.05  # share of windows that a class is expected in, for the first bias
_CHUNK_ROWS = 1024


class NetVLAD(nn.Module):
    """Pool unit vectors into their residuals from learned clusters."""

    def __init__(self, dim: int, clusters: int) -> None:
        super().__init__()
        self.assignment = nn.Parameter(torch.randn(dim, clusters) / math.sqrt(dim))
        self.centers = nn.Parameter(torch.randn(dim, clusters) / math.sqrt(dim))

    def forward(self, units: Float[Tensor, "b t d"]) -> Float[Tensor, "b dk"]:
        return self.pool(units, self.assign(units))

    def assign(self, units: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t k"]:
        """Soft assignment of each vector to the clusters."""
        return (units @ self.assignment).softmax(dim=-1)

    def pool(self, units: Float[Tensor, "b t d"], assigned: Float[Tensor, "b t k"]) -> Float[Tensor, "b dk"]:
        """Residuals summed over time, normalized per cluster, then as a whole."""
        residuals = units.mT @ assigned - self.centers * assigned.sum(dim=1, keepdim=True)
        per_cluster = functional.normalize(residuals, dim=1)
        return functional.normalize(rearrange(per_cluster, "b d k -> b (d k)"), dim=1)

    @torch.no_grad()
    def start(self, units: Float[Tensor, "n d"], *, seed: int) -> None:
        """Put the clusters on the k-means of `units`, the assignment about a hundred to one.

        The sharpness follows Arandjelović et al., section 3.1: the mean gap between a vector's
        nearest and second nearest cluster becomes a factor of 100 in the softmax.

        Raises:
            DataError: there are fewer vectors than clusters.
        """
        from sklearn.cluster import KMeans

        count = self.centers.shape[1]
        if len(units) < count:
            raise DataError(
                f"{count} clusters cannot start from {len(units)} rows. Train on longer videos, or pass "
                f"--set head.clusters={len(units)} or fewer."
            )
        found = KMeans(count, n_init=1, random_state=seed).fit(units.cpu().numpy()).cluster_centers_
        centers = torch.from_numpy(found.astype(np.float32)).to(units)
        directions = functional.normalize(centers, dim=1).T
        sharpness = 1.0
        if count > 1:
            best, second = (units @ directions).topk(2, dim=1).values.unbind(dim=1)
            sharpness = math.log(100) / max(float((best - second).mean()), 1e-3)
        self.centers.copy_(centers.T)
        self.assignment.copy_(sharpness * directions)


class NetVLADPlusPlus(Head):
    """Rows, projected; the rows before the center and those from it on, pooled apart; one linear layer."""

    def __init__(
        self,
        row_shape: tuple[int, int, int],
        *,
        classes: int,
        dim: int,
        clusters: int,
        side: int,
        dropout: float,
    ) -> None:
        """
        Args:
            row_shape: channels, height and width of a cached row.
            classes: number of outputs.
            dim: width of a projected row.
            clusters: clusters before the center, and as many after it.
            side: rows before the center, and as many from it on.
            dropout: share of pooled values that are dropped in training.
        """
        super().__init__()
        width = math.prod(row_shape)
        self.offsets = np.arange(-side, side)
        self.side = side
        self.mean = nn.Buffer(torch.zeros(width))
        self.scale = nn.Buffer(torch.ones(width))
        self.projection = nn.Identity() if width == dim else nn.Linear(width, dim)
        self.before = NetVLAD(dim, clusters)
        self.after = NetVLAD(dim, clusters)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * dim * clusters, classes)
        nn.init.constant_(self.classifier.bias, math.log(_RARE / (1 - _RARE)))

    def forward(
        self, windows: Float[Tensor, "batch window channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        units = self._project(windows)
        before, after = rearrange(units, "b (two t) d -> two b t d", two=2)
        return self._classify(self.before(before), self.after(after))

    @torch.inference_mode()
    def match_logits(self, rows: Rows) -> Float[Tensor, "rows classes"]:
        """Each row is projected and assigned once; windows are then contracted in chunks."""
        units = torch.cat([self._project(chunk) for chunk in self._chunks(rows)])
        # Rows before the first and after the last repeat it, as in `forward`'s windows.
        ends = (units[:1].expand(self.side, -1), units[-1:].expand(self.side, -1))
        units = torch.cat([ends[0], units, ends[1]])
        parts = (self.before.assign(units), self.after.assign(units))
        logits = []
        for first in range(0, len(rows), _CHUNK_ROWS):
            count = min(_CHUNK_ROWS, len(rows) - first)
            pooled = [
                vlad.pool(
                    _windows(units, start, count, self.side), _windows(assigned, start, count, self.side)
                )
                for vlad, assigned, start in (
                    (self.before, parts[0], first),
                    (self.after, parts[1], first + self.side),
                )
            ]
            logits.append(self._classify(*pooled))
        return torch.cat(logits)

    @torch.no_grad()
    def start(self, rows: Rows, *, seed: int) -> None:
        """Standardize the inputs; principal axes for the projection, k-means for the clusters."""
        values = torch.cat(list(self._chunks(rows))).flatten(1)
        self.mean.copy_(values.mean(dim=0))
        self.scale.copy_(1 / values.std(dim=0, correction=0).clamp(min=1e-3))
        if isinstance(self.projection, nn.Linear):
            _start_from_principal_axes(self.projection, (values - self.mean) * self.scale)
        units = self._project(rearrange(values, "n width -> n width 1 1"))
        self.before.start(units, seed=seed)
        self.after.start(units, seed=seed + 1)

    def _project(self, rows: Float[Tensor, "*batch channels height width"]) -> Float[Tensor, "*batch dim"]:
        standard = (rows.flatten(-3) - self.mean) * self.scale
        return functional.normalize(self.projection(standard), dim=-1)

    def _classify(
        self, before: Float[Tensor, "b dk"], after: Float[Tensor, "b dk"]
    ) -> Float[Tensor, "b classes"]:
        logits: Tensor = self.classifier(self.dropout(torch.cat([before, after], dim=1)))
        return logits

    def _chunks(self, rows: Rows) -> Iterator[Float[Tensor, "n channels height width"]]:
        for first in range(0, len(rows), _CHUNK_ROWS):
            chunk = np.ascontiguousarray(rows[first : first + _CHUNK_ROWS], dtype=np.float32)
            yield torch.from_numpy(chunk).to(self.mean.device)


def _windows(values: Float[Tensor, "n d"], first: int, count: int, length: int) -> Float[Tensor, "count t d"]:
    """`count` windows of `length` rows from `first` on, a row apart: a view."""
    return values[first : first + count + length - 1].unfold(0, length, 1).mT


def _start_from_principal_axes(linear: nn.Linear, values: Float[Tensor, "n width"]) -> None:
    """Let a linear layer whiten rows along their strongest axes; axes that are missing keep their start."""
    _, singular, axes = torch.svd_lowrank(values, q=min(linear.out_features, *values.shape), niter=2)
    deviations = singular / math.sqrt(len(values))
    found = int((deviations > 1e-4 * deviations[0].clamp(min=1e-6)).sum())
    linear.weight[:found] = (axes[:, :found] / deviations[:found]).T
    linear.bias.zero_()
