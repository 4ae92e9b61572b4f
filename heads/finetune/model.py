"""The model that stage 3 trains: pictures of a clip in, head outputs for all of its windows out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bas.config import FinetuneSettings
from bas.heads.finetune.clip_sampler import ClipShape
from bas.heads.finetune.freezing import freeze, freeze_norm_statistics
from bas.heads.models.outputs import Output, concatenate_outputs
from bas.heads.models.stacker import Stacker

_CHUNK_VALUES = 1 << 24  # values in the windows that the head processes at once


class ClipModel(nn.Module):
    """Encoder and head on one clip; each distinct stack is encoded only once.

    With `checkpointing` the forward pass keeps only the pictures and the pooled rows; encoder and head
    are recomputed chunk by chunk in the backward pass (Chen et al., Training Deep Nets with Sublinear
    Memory Cost, 2016).
    """

    def __init__(self, stacker: Stacker, shape: ClipShape, settings: FinetuneSettings) -> None:
        """
        Args:
            stacker: model to train, in place.
            shape: stacks and windows of a clip.
            settings: which part is frozen, and the sizes of chunks.
        """
        super().__init__()
        self.stacker, self.shape = stacker, shape
        stacker.encoder.to(memory_format=torch.channels_last)
        self._settings = settings
        freeze(stacker.encoder, settings.freeze)
        self._stacks: Tensor
        self._windows: Tensor
        # Buffers, so that they move with the model; not persistent, so that checkpoints do not hold them.
        self.register_buffer("_stacks", torch.from_numpy(shape.stacks), persistent=False)
        self.register_buffer("_windows", torch.from_numpy(shape.windows), persistent=False)
        channels, height, width = stacker.head.row_shape
        values = shape.windows.shape[1] * channels * height * width
        self.chunk_windows = max(1, _CHUNK_VALUES // values)

    def train(self, mode: bool = True) -> ClipModel:
        """Set training mode, except for frozen parts and for normalizations, which keep their statistics."""
        super().train(mode)
        freeze_norm_statistics(self.stacker, self._settings.freeze)
        return self

    def forward(
        self, luma: UInt8[Tensor, "frames height width"], row_indices: Int64[Tensor, "rows"]
    ) -> Output:
        """Head outputs for each window.

        Args:
            luma: pictures of the clip.
            row_indices: row of the clip to use at each position, as in `ClipSample`.
        """
        encoded = torch.cat(
            [
                self._run(self._encode, luma, part)
                for part in torch.split(self._stacks, self._settings.chunk_rows)
            ]
        )
        clip = encoded[row_indices]
        outputs = [
            self._run(self._classify, clip, part) for part in torch.split(self._windows, self.chunk_windows)
        ]
        return concatenate_outputs(outputs)

    def _encode(
        self, luma: UInt8[Tensor, "frames height width"], stacks: Int64[Tensor, "n 3"]
    ) -> Float[Tensor, "n channels gh gw"]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self._settings.freeze != "encoder"):
            return self.stacker.encode(luma[stacks].float() / 255)

    def _classify(
        self, clip: Float[Tensor, "rows channels gh gw"], windows: Int64[Tensor, "n window"]
    ) -> Output:
        output: Output = self.stacker.head(clip[windows])
        return output

    def _run(self, part: Callable[..., Any], *inputs: Tensor) -> Any:
        """Call `part`, and with checkpointing keep its inputs instead of its activations."""
        if not (self._settings.checkpointing and torch.is_grad_enabled()):
            return part(*inputs)
        return checkpoint(part, *inputs, use_reentrant=False)
