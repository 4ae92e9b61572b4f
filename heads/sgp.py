"""T-DEED's temporal module: scalable-granularity perception layers in an encoder-decoder with skips.

Xarles, Escalera, Moeslund and Clapés, T-DEED: Temporal-Discriminability Enhancer Encoder-Decoder for
Precise Event Spotting in Sports Videos, CVPR Workshops 2024; the layer is that of Shi et al., TriDet,
CVPR 2023. Values and first weights are those of the published code.
"""

# Letters of shapes: b batch, c channels, t rows, s rows of a skip.

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bas.config import SGPSettings
from bas.heads.clip_head import ClipHead
from bas.heads.outputs import Classifier, Output, Task

_GROUPS = 16
_START_DEVIATION = 0.1  # of the weights of depthwise convolutions


class SGP(ClipHead):
    """A position code, the encoder-decoder, and a linear layer each for classes, displacement and team."""

    def __init__(self, row_shape: tuple[int, int, int], task: Task, settings: SGPSettings) -> None:
        """
        Args:
            row_shape: channels, height and width of a cached row.
            task: what to say.
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

    def speak(self, vectors: Float[Tensor, "batch clip dim"]) -> Output:
        """Classes, displacement and team of every row; a clip of another length stretches the position code."""
        told = self.network(vectors + self._position(vectors.shape[1]))
        logits, second = self.classifier(told)
        return Output(
            logits,
            second,
            None if self.displacement is None else self.displacement(self.dropout(told)),
            None if self.team is None else self.team(self.dropout(told))[..., 0],
        )

    def _position(self, length: int) -> Float[Tensor, "clip dim"]:
        if length == len(self.position):
            return self.position
        code = rearrange(self.position, "t c -> 1 c t")
        stretched = functional.interpolate(code, length, mode="linear", align_corners=True)
        return rearrange(stretched, "1 c t -> t c")


class EncoderDecoder(nn.Module):
    """Layers at full, half, quarter ... of the rate, then back up; each level meets its own skip again."""

    def __init__(self, channels: int, *, levels: int, kernel: int, k: int) -> None:
        """
        Args:
            channels: width of a row, a multiple of 16.
            levels: how often the rate is halved.
            kernel: rows of the short windows, odd.
            k: how much longer the long windows are.
        """
        super().__init__()
        self.down = nn.ModuleList(Layer(channels, kernel=kernel, k=k) for _ in range(levels))
        self.bottom = Layer(channels, kernel=kernel, k=k)
        self.mixers = nn.ModuleList(Mixer(channels, kernel=kernel, k=k) for _ in range(levels))
        self.up = nn.ModuleList(Layer(channels, kernel=kernel, k=k) for _ in range(levels))

    def forward(self, rows: Float[Tensor, "b t c"]) -> Float[Tensor, "b t c"]:
        x: Tensor = rearrange(rows, "b t c -> b c t")
        length = x.shape[2]
        skips: list[Tensor] = []
        for level, layer in enumerate(self.down):
            skips.append(layer(x))
            x = functional.adaptive_max_pool1d(skips[-1], -(-length // 2 ** (level + 1)))
        x = self.bottom(x)
        # The source numbers its mixers from the top and uses them from the bottom.
        for layer, mixer in zip(self.up, reversed(self.mixers), strict=True):
            x = layer(mixer(skips.pop(), x))
        return rearrange(x, "b c t -> b t c")


class Layer(nn.Module):
    """Each row among its neighbors near and far, and among all; then a perceptron."""

    def __init__(self, channels: int, *, kernel: int, k: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.instant = Instant(channels)
        self.windows = Windows(channels, kernel=kernel, k=k)
        self.perceptron = Perceptron(channels)

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        y = self.norm(x)
        mixed: Tensor = self.perceptron(x + (self.instant(y) + self.windows(y) + y))
        return mixed


class Mixer(nn.Module):
    """A skip and what comes up from below, each among its neighbors, each as it is, mixed to one."""

    def __init__(self, channels: int, *, kernel: int, k: int) -> None:
        super().__init__()
        self.skip_norm, self.lower_norm = ChannelNorm(channels), ChannelNorm(channels)
        self.skip_windows = Windows(channels, kernel=kernel, k=k)
        self.lower_windows = Windows(channels, kernel=kernel, k=k)
        self.skip_instant, self.lower_instant = Instant(channels), Instant(channels)
        self.mix = nn.Conv1d(6 * channels, channels, 1)
        _start(self.mix)
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


class Windows(nn.Module):
    """A short and a long depthwise window, summed, times a gate of its own."""

    def __init__(self, channels: int, *, kernel: int, k: int) -> None:
        super().__init__()
        self.gate = _depthwise(channels, kernel)
        self.short = _depthwise(channels, kernel)
        self.long = _depthwise(channels, long_kernel(kernel, k))

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        mixed: Tensor = (self.short(x) + self.long(x)) * self.gate(x)
        return mixed


class Instant(nn.Module):
    """Each row on its own, times what the mean of all rows says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.row = _depthwise(channels, 1)
        self.mean = _depthwise(channels, 1)

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        gate: Tensor = self.mean(x.mean(dim=2, keepdim=True)).relu()
        gated: Tensor = self.row(x) * gate
        return gated


class Perceptron(nn.Module):
    """Two layers on every row, added to it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.layers = nn.Sequential(
            nn.Conv1d(channels, 4 * channels, 1), nn.GELU(), nn.Conv1d(4 * channels, channels, 1)
        )

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        told: Tensor = x + self.layers(self.norm(x))
        return told


class ChannelNorm(nn.Module):
    """Layer normalization over the channels of every row."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b c t"]:
        centered = x - x.mean(dim=1, keepdim=True)
        deviation = (centered.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
        return centered / deviation * self.weight + self.bias


def long_kernel(kernel: int, k: int) -> int:
    """Rows of the long window: (kernel + 1) k, made odd; 9 and 4 give 41, 5 and 4 give 25."""
    length = (kernel + 1) * k
    return length + (length + 1) % 2


def _depthwise(channels: int, kernel: int) -> nn.Conv1d:
    conv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
    _start(conv)
    return conv


def _start(conv: nn.Conv1d) -> None:
    nn.init.normal_(conv.weight, 0, _START_DEVIATION)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
