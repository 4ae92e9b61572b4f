"""How much memory a joint training will take, counted before it begins."""

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
from bas.heads.clip_plan import ClipShape
from bas.heads.joint import JointModel
from bas.heads.look import float_copies

_FLOAT_BYTES = 4
_MOMENTS = {"adamw": 2, "adam": 2, "sgd": 1}


def expected_bytes(
    model: JointModel,
    shape: ClipShape,
    settings: FinetuneSettings,
    *,
    size: tuple[int, int],
    slots: int,
    processes: int,
    half: bool,
) -> int:
    """Bytes at the peak of a step on one device: weights, clips that wait or are changed, and activations.

    Activations are counted in a step of a copy of the network that holds no numbers; what libraries
    take for themselves is not in it.

    Args:
        model: that will be trained.
        shape: windows of a clip.
        settings: of the training.
        size: rows and columns of the pictures, padded.
        slots: pictures of a clip.
        processes: that share a step.
        half: whether activations have two bytes instead of four.
    """
    stacker = model.stacker
    held = sum(p.numel() for p in stacker.parameters())
    learned = sum(p.numel() for p in stacker.parameters() if p.requires_grad)
    buckets = processes > 1  # gradients on their way
    states = 2 * held + (1 + _MOMENTS[settings.optimizer] + buckets) * learned  # the average too
    clip = slots * size[0] * size[1]
    luma = clip * settings.batch // processes * (settings.shuffle_clips + 2)  # in hand, and made ahead
    changed = float_copies(settings.augment) * clip
    activations = _activations(model, shape, settings, size)
    return _FLOAT_BYTES * (states + changed) + luma + activations // (2 if half else 1)


def memory_of(device: torch.device) -> int:
    """Bytes that a device has: the GPU's own, or the machine's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, slots=True)
class _Pass:
    """Bytes that a part of the network takes, forward and back."""

    kept: int
    """From the forward pass for the backward pass."""
    peak: int


def _activations(
    model: JointModel, shape: ClipShape, settings: FinetuneSettings, size: tuple[int, int]
) -> int:
    """Bytes of one clip at the peak of a step."""
    bare = deepcopy(model.stacker).to("meta")
    for parameter in bare.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.empty_like(parameter)  # gradients are counted with the weights
    learns = settings.freeze != "encoder"
    rows = min(settings.chunk_rows, shape.rows)
    windows = min(model.chunk_windows, len(shape.windows))
    luma = torch.empty((rows, 3, *size), dtype=torch.uint8, device="meta")
    clip = torch.empty((shape.rows, *bare.head.row_shape), device="meta", requires_grad=learns)
    window = torch.empty((windows, shape.windows.shape[1]), dtype=torch.int64, device="meta")

    def encode() -> Tensor:
        with torch.set_grad_enabled(learns):
            return bare.rows(luma.float() / 255)

    encoder = _counted(encode)
    head = _counted(lambda: bare.head(clip[window]))
    encoded: int = 2 * _FLOAT_BYTES * clip.numel()  # and in the order of the video
    if settings.checkpointing:
        return encoded + max(encoder.peak, head.peak)
    kept: int = encoder.kept * shape.rows // rows + head.kept * len(shape.windows) // windows
    return encoded + kept + max(encoder.peak - encoder.kept, head.peak - head.kept)


def _counted(forward: Callable[[], Any]) -> _Pass:
    """Run a part of the network there and back on tensors without numbers."""
    with _Living() as living:
        output = forward()
        kept = living.now
        told = [t for t in tree_leaves(output) if isinstance(t, Tensor) and t.requires_grad]
        if told:
            torch.autograd.backward(told, [torch.empty_like(tensor) for tensor in told])
    return _Pass(kept, living.peak)


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that are made while it holds, until they are given up."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage(), given)
        return made

    def _add(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known or key in given:
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
