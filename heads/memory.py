"""How much memory a joint training will take, counted before it begins."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from bas.config import FinetuneSettings
from bas.heads.clip_plan import ClipShape
from bas.heads.joint import JointModel

_FLOAT_BYTES = 4
_MOMENTS = {"adamw": 2, "adam": 2, "sgd": 1}


def expected_bytes(
    model: JointModel,
    shape: ClipShape,
    settings: FinetuneSettings,
    *,
    size: tuple[int, int],
    slots: int,
    clips: int,
    half: bool,
) -> int:
    """Bytes at the peak of a step on one device: weights, clips that wait, and activations.

    Activations are counted on a copy of the network that holds no numbers; what libraries take for
    themselves is not in it.

    Args:
        model: that will be trained.
        shape: windows of a clip.
        settings: of the training.
        size: rows and columns of the pictures, padded.
        slots: pictures of a clip.
        clips: of one process, a step.
        half: whether activations have two bytes instead of four.
    """
    stacker = model.stacker
    held = sum(p.numel() for p in stacker.parameters())
    learned = sum(p.numel() for p in stacker.parameters() if p.requires_grad)
    states = _FLOAT_BYTES * (2 * held + (1 + _MOMENTS[settings.optimizer]) * learned)  # the average too
    height, width = size
    luma = slots * height * width * clips * (settings.shuffle_clips + 2)  # in hand, and made ahead
    rows = settings.chunk_rows if settings.checkpointing else shape.rows
    rows = min(rows, shape.rows)
    encoder = 0 if settings.freeze == "encoder" else _saved(stacker.encoder, (rows, 3, height, width))
    windows, window = shape.windows.shape
    at_once = min(windows, model.chunk_windows) if settings.checkpointing else windows
    row = stacker.head.row_shape
    head = _saved(stacker.head, (at_once, window, *row))
    activations = max(encoder, head) if settings.checkpointing else encoder + head
    return states + luma + activations // (2 if half else 1)


def _saved(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Bytes that the forward pass keeps for the backward pass, and those that the largest of them takes again."""
    bare = deepcopy(module).to("meta")
    own = {id(p.untyped_storage()) for p in bare.state_dict(keep_vars=True).values()}
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in own:
            kept[storage._cdata] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        bare(torch.empty(shape, device="meta", requires_grad=True))
    sizes: list[int] = [storage.nbytes() for storage in kept.values()]
    return sum(sizes) + 2 * max(sizes, default=0)
