"""The 2D encoder: three gray pictures in, a feature map out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, assert_never

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bas.config.base import Precision
from bas.config.extract import ExtractSettings
from bas.errors import SettingsError, is_out_of_memory
from bas.extract.encode.folding import DataFlow, fold_normalizations, fold_same_paddings

# One 720p stack, or eleven of 224p; with more, the feature maps no longer fit the CPU's caches.
_CPU_PIXELS_PER_CALL = 1 << 20


class Encoder(nn.Module):
    """Last stage of a timm model; the three pictures of a stack take the places of red, green and blue."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, *, pretrained: bool = False, normalize: bool = False) -> None:
        """Build the network.

        Args:
            name: any timm model that supports `features_only`.
            pretrained: load timm's weights from its cache or its hub; otherwise initialize randomly.
            normalize: subtract the mean and divide by the standard deviation of timm's configuration.

        Raises:
            SettingsError: timm has no such model, no weights for it, or cannot return its feature maps.
            OSError: the hub cannot be reached.
        """
        super().__init__()
        try:
            body: Any = timm.create_model(name, features_only=True, out_indices=[-1], pretrained=pretrained)
        except (AttributeError, AssertionError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            raise SettingsError(
                f"Invalid extract.encoder={name}: {error}. "
                "Use any timm model that supports features_only, such as tf_efficientnetv2_b0.in1k."
            ) from error
        self.name = name
        self.body: nn.Module = body
        self.width: int = body.feature_info.channels()[-1]
        self.normalize = normalize
        # Not persistent: they come from timm's configuration, so weights files need not hold them.
        for key, neutral in (("mean", 0.0), ("std", 1.0)):
            values = body.default_cfg[key] if normalize else (neutral,) * 3
            self.register_buffer(key, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, stacks: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
        """Return the feature maps of stacks whose luma is in [0, 1]."""
        maps: Tensor = self.body((stacks - self.mean) / self.std if self.normalize else stacks)[-1]
        return maps


class FrozenEncoder(nn.Module):
    """Encoder for extraction: eval mode, normalizations and paddings folded, bytes in, pooled feature rows out."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        size: tuple[int, int],
        grid: tuple[int, int],
        precision: Precision,
        device: torch.device | str,
    ) -> None:
        """Optimize a copy of `encoder`; the original is not changed.

        The factor 1/255 is folded into the first convolution, so that its input is bytes, which
        bf16 represents exactly. A mean is not folded: where the convolution pads with zeros, it
        would have to pad with the mean instead.

        Args:
            encoder: encoder to copy.
            size: rows and columns of the input, padded.
            grid: rows and columns that the feature map is averaged to.
            precision: precision of weights and maps; the average is taken in fp32.
            device: device of the copy.

        Raises:
            SettingsError: the network does not return a map of `encoder.width` channels.
        """
        super().__init__()
        body = deepcopy(encoder.body).eval().requires_grad_(False)
        flow = DataFlow(body, size)
        if flow.output[-1].ndim != 4 or flow.output[-1].shape[1] != encoder.width:
            raise SettingsError(
                f"Invalid extract.encoder={encoder.name}: its output has shape {tuple(flow.output[-1].shape)}; "
                f"expected a map of {encoder.width} channels. Choose a convolutional encoder."
            )
        fold_normalizations(body, flow)
        fold_same_paddings(body, flow)
        scale = 1 / (255 * encoder.std)
        # Networks without a single first convolution keep the factor as an explicit multiplication.
        self.scale: Tensor | None = scale.to(device)
        if flow.stem is not None:
            stem = body.get_submodule(flow.stem)
            assert isinstance(stem, nn.Conv2d)
            stem.weight.mul_(scale)
            self.scale = None
        self.mean = (255 * encoder.mean).to(device) if encoder.normalize else None
        self.dtype = _dtype_of(precision)
        self.precision = precision
        self.device = torch.device(device)
        self.grid = grid
        self.width = encoder.width
        self.body = body.to(device, self.dtype).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def forward(self, stacks: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c gh gw"]:
        """Return fp32 feature rows of stacks whose luma is in [0, 255]; equal batches give equal bits."""
        # By default cuDNN rounds the inputs of fp32 convolutions to TF32, with a mantissa of 10 bits.
        centered = stacks if self.mean is None else stacks - self.mean
        scaled = centered if self.scale is None else centered * self.scale
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            maps = self.body(scaled.to(self.dtype))[-1]
        rows: Tensor = functional.adaptive_avg_pool2d(maps.float(), self.grid)
        return rows


def bare_encoder(settings: ExtractSettings) -> Encoder:
    """Build the encoder of the settings with random weights, for weights that are loaded afterwards."""
    return Encoder(settings.encoder, normalize=settings.normalize)


def rows_per_call(batch: int, *, size: tuple[int, int], device: torch.device | str) -> int:
    """Number of rows per encoder call: `batch`, or on a CPU at most what suits its caches."""
    if torch.device(device).type == "cuda":
        return batch
    height, width = size
    return max(1, min(batch, _CPU_PIXELS_PER_CALL // (height * width)))


def _dtype_of(precision: Precision) -> torch.dtype:
    match precision:
        case "fp32":
            return torch.float32
        case "bf16":
            return torch.bfloat16
        case _:
            assert_never(precision)
