"""Estimate of the memory that a training step of stage 3 needs, before any training."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from weakref import finalize

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bas.config import FinetuneSettings
from bas.extract.encode.stacks import canvas_of
from bas.heads.finetune.augment import peak_float_copies
from bas.heads.finetune.model import ClipModel

_FLOAT_BYTES = 4
_MOMENTS = {"adamw": 2, "adam": 2, "sgd": 1}


def expected_bytes(
    model: ClipModel, settings: FinetuneSettings, *, world_size: int, half_precision: bool
) -> int:
    """Peak memory of a training step on one device, in bytes: weights, waiting clips, and activations.

    Activations are measured on a copy of the network on the meta device, whose tensors hold no data.
    What libraries allocate for themselves is not included.

    Args:
        model: model to train.
        settings: training settings.
        world_size: number of processes that share a step.
        half_precision: whether activations take two bytes instead of four.
    """
    stacker, size = model.stacker, canvas_of(model.stacker.settings.extract).padded
    total = sum(p.numel() for p in stacker.parameters())
    trainable = sum(p.numel() for p in stacker.parameters() if p.requires_grad)
    # DistributedDataParallel holds a second copy of the gradients, in the buckets that it reduces.
    buckets = world_size > 1
    # The weights and their moving average; for what trains the gradient and the optimizer's moments.
    states = 2 * total + (1 + _MOMENTS[settings.optimizer] + buckets) * trainable
    clip = len(model.shape.offsets) * size[0] * size[1]
    # Each slot holds its shuffle buffer, the clip in training, and the one prepared ahead.
    luma = clip * settings.batch // world_size * (settings.shuffle_clips + 2)
    augmented = peak_float_copies(settings.augment) * clip
    activations = _activations(model, settings, size)
    return _FLOAT_BYTES * (states + augmented) + luma + activations // (2 if half_precision else 1)


def device_memory(device: torch.device) -> int:
    """Total memory of a device in bytes; that of the machine for the CPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, slots=True)
class _PassMemory:
    """Memory of a forward and backward pass through a part of the network, in bytes."""

    kept: int
    """Bytes that the forward pass keeps for the backward pass."""
    peak: int


def _activations(model: ClipModel, settings: FinetuneSettings, size: tuple[int, int]) -> int:
    """Peak memory of the activations of one clip in float32, in bytes."""
    shape, bare = model.shape, deepcopy(model.stacker).to("meta")
    for parameter in bare.parameters():
        if parameter.requires_grad:
            # Allocated before the measurement: gradients are counted with the weights.
            parameter.grad = torch.empty_like(parameter)
    trains_encoder = settings.freeze != "encoder"
    rows = min(settings.chunk_rows, shape.num_rows)
    windows = min(model.chunk_windows, len(shape.windows))
    luma = torch.empty((rows, 3, *size), dtype=torch.uint8, device="meta")
    clip = torch.empty((shape.num_rows, *bare.head.row_shape), device="meta", requires_grad=trains_encoder)
    window = torch.empty((windows, shape.windows.shape[1]), dtype=torch.int64, device="meta")

    def encode() -> Tensor:
        with torch.set_grad_enabled(trains_encoder):
            return bare.encode(luma.float() / 255)

    encoder = _measure(encode)
    head = _measure(lambda: bare.head(clip[window]))
    # Twice: as encoded, and again indexed by `row_indices`.
    encoded: int = 2 * _FLOAT_BYTES * clip.numel()
    if settings.checkpointing:
        # Chunks are recomputed one at a time, so only the larger peak counts.
        return encoded + max(encoder.peak, head.peak)
    # Every chunk keeps its activations until the backward pass; one chunk at a time is at its peak.
    kept: int = encoder.kept * shape.num_rows // rows + head.kept * len(shape.windows) // windows
    return encoded + kept + max(encoder.peak - encoder.kept, head.peak - head.kept)


def _measure(forward: Callable[[], Any]) -> _PassMemory:
    """Run a part of the network forward and backward on tensors without data."""
    with _LiveBytes() as live:
        output = forward()
        kept = live.current
        outputs = [t for t in tree_leaves(output) if isinstance(t, Tensor) and t.requires_grad]
        if outputs:
            torch.autograd.backward(outputs, [torch.empty_like(tensor) for tensor in outputs])
    return _PassMemory(kept, live.peak)


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors created while it is active, until they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        # A view or an in-place result shares the storage of an argument: that is no new memory.
        inputs = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for tensor in tree_leaves(results):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage(), inputs)
        return results

    def _add(self, storage: torch.UntypedStorage, inputs: set[int]) -> None:
        # `_cdata` identifies the storage; the data pointer would not, for it is 0 on the meta device.
        key, size = storage._cdata, storage.nbytes()
        if key in self._known or key in inputs:
            return
        self._known.add(key)
        self.current += size
        self.peak = max(self.peak, self.current)
        # A new storage may get the same address once this one is freed, so forget it then.
        finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.current -= size
