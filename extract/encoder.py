"""The two-dimensional half of the pipeline: three gray pictures in, a map of features out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, assert_never

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bas.errors import SettingsError
from bas.extract.folding import Flow, fold_normalizations
from bas.extract.precision import Precision

_CPU_PIXELS = 1 << 20  # of a call; with more of them the maps fall out of the caches of a CPU


class Encoder(nn.Module):
    """Last stage of a timm model; the three pictures of a stack stand in for red, green and blue."""

    def __init__(self, name: str, *, pretrained: bool = False) -> None:
        """Build the network.

        Args:
            name: any timm model that supports `features_only`.
            pretrained: take timm's weights, from its cache or its hub; else initialize anew.

        Raises:
            SettingsError: timm has no such model, no weights for it, or no feature maps of it.
            OSError: the hub cannot be reached.
        """
        super().__init__()
        try:
            body: Any = timm.create_model(name, features_only=True, out_indices=[-1], pretrained=pretrained)
        except (AttributeError, AssertionError, RuntimeError) as error:
            raise SettingsError(
                f"extract.encoder={name} is no encoder: {error}. "
                "bas takes any timm model that supports features_only, as tf_efficientnetv2_b0.in1k."
            ) from error
        self.name = name
        self.body: nn.Module = body
        self.width: int = body.feature_info.channels()[-1]

    def forward(self, stacks: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
        """Feature maps of stacks whose luma is in [0, 1]."""
        maps: Tensor = self.body(stacks)[-1]
        return maps


class FrozenEncoder(nn.Module):
    """An encoder made ready for extraction: eval mode, normalizations folded, bytes in, pooled rows out."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        size: tuple[int, int],
        grid: tuple[int, int],
        precision: Precision,
        device: torch.device | str,
    ) -> None:
        """Copy `encoder` and make the copy fast; the original stays as it is.

        The factor 1/255 goes into the first convolution, so that bytes, which bf16 holds exactly,
        are its input.

        Args:
            encoder: any.
            size: rows and columns of the input, padded.
            grid: rows and columns that the feature map is averaged to.
            precision: of weights and maps; the average is taken in fp32.
            device: that it will run on.
        """
        super().__init__()
        body = deepcopy(encoder.body).eval().requires_grad_(False)
        flow = Flow(body, size)
        if flow.output[-1].ndim != 4 or flow.output[-1].shape[1] != encoder.width:
            raise SettingsError(
                f"extract.encoder={encoder.name} gives {tuple(flow.output[-1].shape)}, not maps of "
                f"{encoder.width} channels. Choose a convolutional encoder."
            )
        fold_normalizations(body, flow)
        self.scale = 1 / 255
        if flow.stem is not None:
            stem = body.get_submodule(flow.stem)
            assert isinstance(stem, nn.Conv2d)
            stem.weight.mul_(self.scale)
            self.scale = 1.0
        self.dtype = _dtype_of(precision)
        self.precision = precision
        self.device = torch.device(device)
        self.grid = grid
        self.width = encoder.width
        self.body = body.to(device, self.dtype).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def forward(self, stacks: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c gh gw"]:
        """Pooled rows, fp32, of stacks whose luma is in [0, 255]; the same bits for the same batch."""
        # By default cuDNN rounds the inputs of fp32 convolutions to TF32, with 10 bits after the point.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            maps = self.body(stacks if self.scale == 1.0 else stacks * self.scale)[-1]
        rows: Tensor = functional.adaptive_avg_pool2d(maps.float(), self.grid)
        return rows


def rows_a_call(batch: int, *, size: tuple[int, int], device: torch.device | str) -> int:
    """Rows for one call of the encoder: `batch`, or on a CPU as many as its caches like."""
    if torch.device(device).type == "cuda":
        return batch
    height, width = size
    return max(1, min(batch, _CPU_PIXELS // (height * width)))


def _dtype_of(precision: Precision) -> torch.dtype:
    match precision:
        case "fp32":
            return torch.float32
        case "bf16":
            return torch.bfloat16
        case _:
            assert_never(precision)
