"""The stacker as it learns: a clip of pictures in, what the head says of every window of it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bas.config import FinetuneSettings
from bas.heads.clip_plan import ClipShape
from bas.heads.clips import Slots
from bas.heads.layers import freeze, require_eval
from bas.heads.outputs import Output, join
from bas.heads.stacker import Stacker

_CHUNK_VALUES = 1 << 24  # of the windows that the head takes at once


class JointModel(nn.Module):
    """Encoder and head on one clip; every distinct stack is encoded once.

    With `checkpointing` the forward pass keeps the pictures and the pooled rows alone, and encoder and
    head are computed anew, chunk by chunk, in the backward pass (Chen et al., Training Deep Nets with
    Sublinear Memory Cost, 2016).
    """

    def __init__(self, stacker: Stacker, shape: ClipShape, slots: Slots, settings: FinetuneSettings) -> None:
        """
        Args:
            stacker: trained in place.
            shape: windows of a clip.
            slots: pictures of a clip.
            settings: what is frozen, and how much is computed at once.
        """
        super().__init__()
        self.stacker = stacker
        stacker.encoder.to(memory_format=torch.channels_last)
        self._settings = settings
        freeze(stacker.encoder, settings.freeze)
        self._stacks: Tensor
        self._windows: Tensor
        self.register_buffer("_stacks", torch.from_numpy(slots.stacks), persistent=False)
        self.register_buffer("_windows", torch.from_numpy(shape.windows), persistent=False)
        channels, height, width = stacker.head.row_shape
        values = shape.windows.shape[1] * channels * height * width
        self.chunk_windows = max(1, _CHUNK_VALUES // values)

    def train(self, mode: bool = True) -> JointModel:
        """Train what is not frozen; normalizations keep the statistics they have."""
        super().train(mode)
        require_eval(self.stacker, self._settings.freeze)
        return self

    def forward(self, luma: UInt8[Tensor, "slots height width"], rows: Int64[Tensor, "rows"]) -> Output:
        """What the head says of each window.

        Args:
            luma: the clip's pictures.
            rows: which row of the clip stands at each place; beyond an end of the video, its last one.
        """
        encoded = torch.cat(
            [
                self._run(self._encode, luma, part)
                for part in torch.split(self._stacks, self._settings.chunk_rows)
            ]
        )
        clip = encoded[rows]
        told = [self._run(self._speak, clip, part) for part in torch.split(self._windows, self.chunk_windows)]
        return join(told)

    def _encode(
        self, luma: UInt8[Tensor, "slots height width"], stacks: Int64[Tensor, "n 3"]
    ) -> Float[Tensor, "n channels gh gw"]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self._settings.freeze != "encoder"):
            return self.stacker.rows(luma[stacks].float() / 255)

    def _speak(
        self, clip: Float[Tensor, "rows channels gh gw"], windows: Int64[Tensor, "n window"]
    ) -> Output:
        output: Output = self.stacker.head(clip[windows])
        return output

    def _run(self, part: Callable[..., Any], *inputs: Tensor) -> Any:
        if not (self._settings.checkpointing and torch.is_grad_enabled()):
            return part(*inputs)
        return checkpoint(part, *inputs, use_reentrant=False)
