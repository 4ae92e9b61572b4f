"""T-DEED's temporal module: scalable-granularity perception (SGP) layers in an encoder-decoder with skips.

Xarles, Escalera, Moeslund and Clapés, T-DEED: Temporal-Discriminability Enhancer Encoder-Decoder for
Precise Event Spotting in Sports Videos, CVPR Workshops 2024; the layer is that of Shi et al., TriDet,
CVPR 2023. Constants and initial weights are those of the published code.
"""

# Shape letters: b batch, c channels, t rows, s rows of a skip connection.

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bas.config import SGPSettings
from bas.heads.models.base import SequenceHead
from bas.heads.models.outputs import Classifier, Output, Task

_GROUPS = 16
_INIT_STD = 0.1  # of convolution weights


class SGP(SequenceHead):
    """Position embedding, encoder-decoder, and one linear layer each for classes, displacement and team."""

    def __init__(self, row_shape: tuple[int, int, int], task: Task, settings: SGPSettings) -> None:
        """
        Args:
            row_shape: channels, height and width of a feature row.
            task: outputs required of the head.
            settings: sizes.
        """
        super().__init__(row_shape, settings)
        length, dim = settings.clip_rows, settings.dim
        self.position = nn.Parameter(torch.randn(length, dim) / length)
        self.network = EncoderDecoder(dim, levels=settings.levels, kernel=settings.kernel, k=settings.k)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = Classifier(dim, task, scoring=settings.scoring, dropout=settings.dropout)
        displacements = {"none": 0, "shared": 1, "class": task.classes}[settings.displacement]
        self.displacement = nn.Linear(dim, displacements) if displacements else None
        self.team = nn.Linear(dim, 1) if task.team else None

    def from_vectors(self, vectors: Float[Tensor, "batch sequence dim"]) -> Output:
        """Class, displacement and team outputs of every row.

        For a sequence of another length the position embedding is interpolated.
        """
        features = self.network(vectors + self._position(vectors.shape[1]))
        logits, second_logits = self.classifier(features)
        return Output(
            logits,
            second_logits,
            None if self.displacement is None else self.displacement(self.dropout(features)),
            None if self.team is None else self.team(self.dropout(features))[..., 0],
        )

    def _position(self, length: int) -> Float[Tensor, "sequence dim"]:
        if length == len(self.position):
            return self.position
        embedding = rearrange(self.position, "t c -> 1 c t")
        stretched = functional.interpolate(embedding, length, mode="linear", align_corners=True)
        return rearrange(stretched, "1 c t -> t c")


class EncoderDecoder(nn.Module):
    """SGP layers at full, half, quarter ... rate, then back up; each level is mixed with its own skip."""

    def __init__(self, channels: int, *, levels: int, kernel: int, k: int) -> None:
        """
        Args:
            channels: width of a row, a multiple of 16.
            levels: number of times the rate is halved.
            kernel: rows of the short convolutions, odd.
            k: length of the long convolutions over that of the short ones, see `long_kernel`.
        """
        super().__init__()
        self.down = nn.ModuleList(SGPLayer(channels, kernel=kernel, k=k) for _ in range(levels))
        self.bottom = SGPLayer(channels, kernel=kernel, k=k)
        self.mixers = nn.ModuleList(SGPMixer(channels, kernel=kernel, k=k) for _ in range(levels))
        self.up = nn.ModuleList(SGPLayer(channels, kernel=kernel, k=k) for _ in range(levels))

    def forward(self, rows: Float[Tensor, "b t c"]) -> Float[Tensor, "b t c"]:
        x: Tensor = rearrange(rows, "b t c -> b c t")
        length = x.shape[2]
        skips: list[Tensor] = []
        for level, layer in enumerate(self.down):
            skips.append(layer(x))
            # Lengths round up, so that a sequence of any length keeps at least one row.
            x = functional.adaptive_max_pool1d(skips[-1], -(-length // 2 ** (level + 1)))
        x = self.bottom(x)
        # The published code numbers mixers from the top and uses them from the bottom; state dicts follow it.
        for layer, mixer in zip(self.up, reversed(self.mixers), strict=True):
            x = layer(mixer(skips.pop(), x))
        return rearrange(x, "b c t -> b t c")


class SGPLayer(nn.Module):
    """SGP layer: window branch over near and far rows, instant branch over all, then a perceptron."""

    def __init__(self, channels: int, *, kernel: int, k: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.instant = InstantBranch(channels)
        self.windows = WindowBranch(channels, kernel=kernel, k=k)
        self.perceptron = Perceptron(channels)

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        y = self.norm(x)
        mixed: Tensor = self.perceptron(x + (self.instant(y) + self.windows(y) + y))
        return mixed


class SGPMixer(nn.Module):
    """SGP-Mixer: both branches of the skip and of the upsampled lower level, and their inputs, mixed to one."""

    def __init__(self, channels: int, *, kernel: int, k: int) -> None:
        super().__init__()
        self.skip_norm, self.lower_norm = ChannelNorm(channels), ChannelNorm(channels)
        self.skip_windows = WindowBranch(channels, kernel=kernel, k=k)
        self.lower_windows = WindowBranch(channels, kernel=kernel, k=k)
        self.skip_instant, self.lower_instant = InstantBranch(channels), InstantBranch(channels)
        self.mix = nn.Conv1d(6 * channels, channels, 1)
        _init_conv(self.mix)
        self.perceptron = Perceptron(channels)

    def forward(self, skip: Float[Tensor, "b c s"], lower: Float[Tensor, "b c t"]) -> Float[Tensor, "b c s"]:
        z = self.skip_norm(skip)
        x = functional.interpolate(self.lower_norm(lower), skip.shape[2], mode="linear", align_corners=True)
        parts = [
            self.skip_windows(z),
            self.lower_windows(x),
            self.skip_instant(z),
            self.lower_instant(x),
            z,
            x,
        ]
        mixed: Tensor = self.perceptron(functional.gelu(self.mix(torch.cat(parts, dim=1))))
        return mixed


class WindowBranch(nn.Module):
    """Sum of a short and a long depthwise convolution, times a convolutional gate."""

    def __init__(self, channels: int, *, kernel: int, k: int) -> None:
        super().__init__()
        self.gate = _depthwise(channels, kernel)
        self.short = _depthwise(channels, kernel)
        self.long = _depthwise(channels, long_kernel(kernel, k))

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        mixed: Tensor = (self.short(x) + self.long(x)) * self.gate(x)
        return mixed


class InstantBranch(nn.Module):
    """Each row scaled per channel, times a gate from the mean over all rows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.row = _depthwise(channels, 1)
        self.mean = _depthwise(channels, 1)

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        gate: Tensor = self.mean(x.mean(dim=2, keepdim=True)).relu()
        gated: Tensor = self.row(x) * gate
        return gated


class Perceptron(nn.Module):
    """Two-layer perceptron on every row, with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.layers = nn.Sequential(
            nn.Conv1d(channels, 4 * channels, 1), nn.GELU(), nn.Conv1d(4 * channels, channels, 1)
        )

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        added: Tensor = x + self.layers(self.norm(x))
        return added


class ChannelNorm(nn.Module):
    """Layer normalization over the channels of each row."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        centered = x - x.mean(dim=1, keepdim=True)
        deviation = (centered.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
        return centered / deviation * self.weight + self.bias


def long_kernel(kernel: int, k: int) -> int:
    """Length of the long convolution in rows: (kernel + 1) k, made odd; 9 and 4 give 41, 5 and 4 give 25."""
    length = (kernel + 1) * k
    return length + (length + 1) % 2


def _depthwise(channels: int, kernel: int) -> nn.Conv1d:
    conv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
    _init_conv(conv)
    return conv


def _init_conv(conv: nn.Conv1d) -> None:
    nn.init.normal_(conv.weight, 0, _INIT_STD)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
