"""Optimizer with learning-rate schedule, weight averaging and a guard against non-finite steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, assert_never

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim import Optimizer as TorchOptimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bas.config import TrainSettings
from bas.errors import RunFailedError

_MOMENTUM = 0.9

_MAX_CONSECUTIVE_SKIPS = 20


def warmup_cosine(step: int, *, total: int, warmup: int, min_ratio: float) -> float:
    """Ratio to the peak learning rate at `step`: linear warm-up to 1 over `warmup` steps, then cosine to `min_ratio`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return min_ratio + (1 - min_ratio) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


def parameter_groups(parameters: Iterable[nn.Parameter], learning_rate: float) -> list[dict[str, Any]]:
    """Parameter groups with one learning rate and no weight decay on biases and normalization weights."""
    trained = [p for p in parameters if p.requires_grad]
    # Vectors have one axis longer than 1 at most, wherever it is: ChannelNorm weights are (1, channels, 1).
    vectors = [p for p in trained if max(p.shape, default=1) == p.numel()]
    matrices = [p for p in trained if max(p.shape, default=1) < p.numel()]
    return [
        {"params": matrices, "lr": learning_rate},
        {"params": vectors, "lr": learning_rate, "weight_decay": 0.0},
    ]


class TrainingOptimizer:
    """Warm-up and cosine schedule, gradient clipping, fp16 loss scaling and an exponential moving average of weights."""

    def __init__(
        self,
        model: nn.Module,
        groups: Sequence[dict[str, Any]],
        settings: TrainSettings,
        *,
        steps_per_epoch: int,
        fp16: bool = False,
    ) -> None:
        """
        Args:
            model: model whose weights are trained and averaged.
            groups: its parameters, from `parameter_groups`, with the peak learning rate of each group.
            settings: settings of optimizer and schedule.
            steps_per_epoch: optimizer steps per epoch.
            fp16: whether to scale losses, so that small gradients do not underflow.
        """
        self._optimizer = _optimizer(groups, settings)
        self._peak_rates: list[float] = [group["lr"] for group in self._optimizer.param_groups]
        self._total = settings.epochs * steps_per_epoch
        self._min_ratio = settings.min_lr_ratio
        self._warmup = round(settings.warmup_epochs * steps_per_epoch)
        self._step = 0
        self._clip_norm = settings.clip_norm
        self._model = model
        self._scaler = torch.amp.GradScaler(next(model.parameters()).device.type, enabled=fp16)
        average = get_ema_multi_avg_fn(settings.ema_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        self._finite_buffers = [buffer.clone() for buffer in model.buffers()]
        self.skipped = 0
        self._consecutive_skips = 0

    def backward(self, loss: Tensor) -> None:
        """Accumulate the gradients of a loss for the next step."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, loss: Tensor) -> bool:
        """Take an optimizer step, unless the loss or a gradient is not finite; then only count it as skipped.

        Returns:
            Whether the step was taken.

        Raises:
            RunFailedError: 20 steps in a row were not finite.
        """
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        for group, peak in zip(self._optimizer.param_groups, self._peak_rates, strict=True):
            group["lr"] = peak * self._lr_ratio
        self._step += 1  # skipped steps count too, so that the schedule ends with the last epoch
        finite = bool(torch.isfinite(loss.detach()) & torch.isfinite(norm))
        if finite:
            self._scaler.step(self._optimizer)
            self.average.update_parameters(self._model)
            self._consecutive_skips = 0
            self._keep_buffers()
        else:
            self._restore_buffers()
            self.skipped += 1
            self._consecutive_skips += 1
        self._scaler.update()  # after a skipped step too: this is what lowers the scale
        self._optimizer.zero_grad(set_to_none=True)
        if self._consecutive_skips == _MAX_CONSECUTIVE_SKIPS:
            raise RunFailedError(
                f"Training diverged: the loss was not finite {_MAX_CONSECUTIVE_SKIPS} steps in a row. The last "
                "checkpoint is usable. Lower the learning rate (--set fit.learning_rate=..., or "
                "finetune.encoder_learning_rate and finetune.head_learning_rate) and start again."
            )
        return finite

    @torch.no_grad()
    def _keep_buffers(self) -> None:
        for kept, buffer in zip(self._finite_buffers, self._model.buffers(), strict=True):
            kept.copy_(buffer)

    @torch.no_grad()
    def _restore_buffers(self) -> None:
        """Undo the step's update of normalization statistics, which are not finite either."""
        for kept, buffer in zip(self._finite_buffers, self._model.buffers(), strict=True):
            buffer.copy_(kept)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the first group in the next step."""
        return self._peak_rates[0] * self._lr_ratio

    @property
    def _lr_ratio(self) -> float:
        return warmup_cosine(self._step, total=self._total, warmup=self._warmup, min_ratio=self._min_ratio)

    def state_dict(self) -> dict[str, Any]:
        """State for resuming, except the model's own: tensors and plain values."""
        return {
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "step": self._step,
            "average": self.average.state_dict(),
            "skipped": self.skipped,
            "skipped_in_a_row": self._consecutive_skips,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; the model must be loaded before."""
        self._keep_buffers()
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._step = state["step"]
        self.average.load_state_dict(state["average"])
        self.skipped = state["skipped"]
        self._consecutive_skips = state["skipped_in_a_row"]


def _optimizer(groups: Sequence[dict[str, Any]], settings: TrainSettings) -> TorchOptimizer:
    filled, decay = [group for group in groups if group["params"]], settings.weight_decay
    match settings.optimizer:
        case "adamw":
            return AdamW(filled, weight_decay=decay)
        case "adam":
            return Adam(filled, weight_decay=decay)
        case "sgd":
            return SGD(filled, weight_decay=decay, momentum=_MOMENTUM, nesterov=True)
        case _:
            assert_never(settings.optimizer)


@contextmanager
def deterministic_on_cpu(device: torch.device) -> Iterator[None]:
    """Accumulate gradients on the CPU in a fixed order, for any number of threads.

    By default threads race in the backward pass of indexing. GPUs are not changed: there, indexing is
    deterministic, and some pooling has no deterministic implementation.
    """
    switch: Any = torch.utils.deterministic  # the stubs lack its attribute
    before, filled = torch.are_deterministic_algorithms_enabled(), switch.fill_uninitialized_memory
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    switch.fill_uninitialized_memory = False  # bas writes tensors before it reads them
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        switch.fill_uninitialized_memory = filled
