"""3D inverted-residual head, the winner of the ball action spotting challenge of 2023.

Baikulov, lRomul/ball-action-spotting, 2023: the feature maps of five or eleven stacks, six frames apart,
pass a projection, four inverted-residual 3D blocks, a projection of each time slice, generalized-mean
pooling, and one linear layer that classifies the middle. The blocks follow Sandler et al., MobileNetV2,
CVPR 2018.
"""

# Shape letters: b batch, c channels, t time slices, y rows of the map, x columns of the map.

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from timm.layers.drop import DropPath
from torch import Tensor, nn
from torch.nn import functional

from bas.config import Blocks3DSettings
from bas.heads.models.base import FeatureRows, WindowHead
from bas.heads.models.layers import GeneralizedMean
from bas.heads.models.outputs import Classifier, Output, Task

STACK_SECONDS = Fraction(6, 25)
"""Time between neighboring stacks of a window: three pictures, two frames apart, so stacks adjoin without overlap."""

_REDUCTION = 24  # expanded channels over squeezed ones in squeeze-and-excitation
_CHUNK_CELLS = 10_000  # map cells of all windows that pass the blocks at once
_CHUNK_SLICES = 256
_CHUNK_ROWS = 256


class Blocks3D(WindowHead):
    """3D blocks over a window of stacks; the target is its middle row."""

    def __init__(
        self, row_shape: tuple[int, int, int], task: Task, settings: Blocks3DSettings, *, spacing: int
    ) -> None:
        """
        Args:
            row_shape: channels, height and width of a feature row.
            task: outputs required of the head.
            settings: sizes.
            spacing: rows between neighboring slices of a window.
        """
        super().__init__(row_shape, settings.scoring)
        channels, height, width = row_shape
        self.slices, self.spacing = settings.frames // 3, spacing
        self._chunk_windows = max(1, _CHUNK_CELLS // (self.slices * height * width))
        self.offsets = spacing * (np.arange(self.slices) - self.slices // 2)
        self._dense = settings.mode == "dense"
        self.projection = _projection(channels, channels)
        self.blocks = nn.ModuleList(
            InvertedResidual3D(channels, expansion=settings.expansion, drop_path=settings.drop_path)
            for _ in range(settings.blocks)
        )
        self.narrow = _projection(channels, settings.projection)
        self.pooling = GeneralizedMean()
        self.classifier = Classifier(
            settings.projection * self.slices, task, scoring=settings.scoring, dropout=settings.dropout
        )

    def forward(self, windows: Float[Tensor, "batch window channels height width"]) -> Output:
        return self._from_projected(_per_slice(self.projection, windows))

    @torch.inference_mode()
    def video_logits(self, rows: FeatureRows) -> Float[Tensor, "rows columns"]:
        """Logits of every row: window by window, or with `mode: dense` in one pass over the video.

        In the dense pass the squeeze-and-excitation of each slice averages the slices around it, and
        convolutions see rows beyond the window instead of zero padding. The numbers differ from
        `forward`, at a fraction of the cost.
        """
        return self._dense_logits(rows) if self._dense else self._windowed_logits(rows)

    def init_from_features(self, rows: FeatureRows, *, seed: int) -> None:
        """No data-dependent initialization."""

    def temporal_features(self, projected: Float[Tensor, "b t c y x"]) -> Float[Tensor, "b td y x"]:
        """Projected slices after the blocks and the narrow projection, concatenated along channels."""
        x = rearrange(projected, "b t c y x -> b c t y x")
        for block in self.blocks:
            x = block(x)
        slices = _per_slice(self.narrow, rearrange(x, "b c t y x -> b t c y x"))
        return rearrange(slices, "b t d y x -> b (t d) y x")

    def _from_projected(self, projected: Float[Tensor, "b t c y x"]) -> Output:
        return self.classify(self.pooling(self.temporal_features(projected)))

    def _windowed_logits(self, rows: FeatureRows) -> Float[Tensor, "rows columns"]:
        half_window = int(self.offsets[-1])
        window = torch.from_numpy(self.offsets + half_window)
        logits = []
        for first in range(0, len(rows), _CHUNK_ROWS):
            last = min(first + _CHUNK_ROWS, len(rows))
            # Beyond the ends the first or last row repeats, as in training windows.
            numbers = np.arange(first - half_window, last + half_window).clip(0, len(rows) - 1)
            (chunk,) = self.chunks(rows[numbers], len(numbers))
            projected = self.projection(chunk)
            centers = torch.arange(last - first)
            logits += [
                self._from_projected(projected[part[:, None] + window]).logits[:, 0]
                for part in torch.split(centers, self._chunk_windows)
            ]
        return torch.cat(logits)

    def _dense_logits(self, rows: FeatureRows) -> Float[Tensor, "rows columns"]:
        """Dense logits; rows `spacing` apart form one sequence, so there are `spacing` interleaved sequences."""
        margin = self.slices // 2 * self.spacing
        logits: Tensor | None = None
        for phase in range(min(self.spacing, len(rows))):
            numbers = np.arange(phase - margin, len(rows) + margin, self.spacing)
            phase_logits = self._dense_sequence(rows, numbers.clip(0, len(rows) - 1))
            if logits is None:
                logits = phase_logits.new_empty(len(rows), phase_logits.shape[1])
            logits[phase :: self.spacing] = phase_logits
        assert logits is not None
        return logits

    def _dense_sequence(self, rows: FeatureRows, numbers: np.ndarray) -> Float[Tensor, "centers columns"]:
        """Logits of all rows of a sequence except half a window at both ends, computed in overlapping chunks."""
        half_window = self.slices // 2
        # Slices that a logit depends on, on either side: the pooled window, and for each block
        # a convolution of three slices and an excitation averaged over a window.
        margin = half_window + len(self.blocks) * (1 + half_window)
        centers = range(half_window, len(numbers) - half_window)
        logits = []
        for first in range(centers.start, centers.stop, _CHUNK_SLICES):
            last = min(first + _CHUNK_SLICES, centers.stop)
            low, high = max(0, first - margin), min(len(numbers), last + margin)
            (chunk,) = self.chunks(rows[numbers[low:high]], high - low)
            x = rearrange(self.projection(chunk), "t c y x -> 1 c t y x")
            for block in self.blocks:
                x = block(x, window=self.slices)
            narrowed = self.narrow(rearrange(x, "1 c t y x -> t c y x"))
            inside = narrowed[first - half_window - low : last + half_window - low]
            windows = rearrange(inside.unfold(0, self.slices, 1), "b d y x t -> b (t d) y x")
            logits += [
                self.classify(self.pooling(part)).logits[:, 0]
                for part in torch.split(windows, self._chunk_windows)
            ]
        return torch.cat(logits)


class InvertedResidual3D(nn.Module):
    """Expand, depthwise 3D convolution, squeeze-and-excitation, reduce; with a residual connection."""

    def __init__(self, channels: int, *, expansion: int, drop_path: float) -> None:
        super().__init__()
        wide = channels * expansion
        self.widen = nn.Sequential(nn.Conv3d(channels, wide, 1, bias=False), nn.BatchNorm3d(wide), nn.SiLU())
        self.mix = nn.Sequential(
            nn.Conv3d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm3d(wide), nn.SiLU()
        )
        self.excite = SqueezeExcitation(wide, max(1, wide // _REDUCTION))
        self.narrow = nn.Sequential(nn.Conv3d(wide, channels, 1, bias=False), nn.BatchNorm3d(channels))
        self.drop_path = DropPath(drop_path)

    def forward(
        self, x: Float[Tensor, "b c t y x"], *, window: int | None = None
    ) -> Float[Tensor, "b c t y x"]:
        residual: Tensor = self.drop_path(self.narrow(self.excite(self.mix(self.widen(x)), window=window)))
        return x + residual


class SqueezeExcitation(nn.Module):
    """Channel gates (Hu et al., CVPR 2018) from means over all slices, or over a window around each slice."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.reduce = nn.Conv3d(channels, reduced, 1)
        self.expand = nn.Conv3d(reduced, channels, 1)

    def forward(self, x: Float[Tensor, "b c t y x"], *, window: int | None) -> Float[Tensor, "b c t y x"]:
        if window is None:
            mean = x.mean(dim=(2, 3, 4), keepdim=True)
        else:
            around = functional.avg_pool1d(
                x.mean(dim=(3, 4)), window, stride=1, padding=window // 2, count_include_pad=False
            )
            mean = around[..., None, None]
        scale: Tensor = self.expand(functional.silu(self.reduce(mean))).sigmoid()
        return x * scale


def _projection(channels: int, projected: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, projected, 1, bias=False), nn.BatchNorm2d(projected), nn.SiLU())


def _per_slice(layer: nn.Module, slices: Float[Tensor, "b t c y x"]) -> Float[Tensor, "b t d y x"]:
    outputs: Tensor = layer(rearrange(slices, "b t c y x -> (b t) c y x"))
    return rearrange(outputs, "(b t) d y x -> b t d y x", b=len(slices))
