"""The optimizer's schedule, the averaged weights, and the guard against steps that are not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, assert_never

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.optim import Optimizer as TorchOptimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bas.config import TrainSettings
from bas.errors import RunFailedError

_MOMENTUM = 0.9
_MOST_SKIPPED = 20  # steps in a row


def warm_cosine(step: int, *, total: int, warmup: int, floor: float) -> float:
    """Share of the learning rate at `step`: linear up to 1 over `warmup` steps, then a cosine to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    passed = (step - warmup) / max(1, total - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, passed))) / 2


def group(parameters: Iterable[nn.Parameter], learning_rate: float) -> list[dict[str, Any]]:
    """Parameter groups with one learning rate; biases and normalizations do not decay."""
    trained = [p for p in parameters if p.requires_grad]
    vectors = [p for p in trained if max(p.shape, default=1) == p.numel()]  # of one axis, whatever its place
    matrices = [p for p in trained if max(p.shape, default=1) < p.numel()]
    return [
        {"params": matrices, "lr": learning_rate},
        {"params": vectors, "lr": learning_rate, "weight_decay": 0.0},
    ]


class Optimizer:
    """Warm-up and cosine, clipped gradients, scaled losses in fp16, and an exponential moving average."""

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
            model: to average.
            groups: of its parameters, from `group`, each with its highest learning rate.
            settings: of the schedule.
            steps_per_epoch: of the optimizer.
            fp16: whether losses are scaled, so that small gradients do not vanish.
        """
        self._optimizer = _optimizer(groups, settings)
        self._peak_rates: list[float] = [of["lr"] for of in self._optimizer.param_groups]
        self._total = settings.epochs * steps_per_epoch
        self._floor = settings.floor
        self._warmup = round(settings.warmup_epochs * steps_per_epoch)
        self._step = 0
        self._clip_norm = settings.clip_norm
        self._model = model
        self._scaler = torch.amp.GradScaler(next(model.parameters()).device.type, enabled=fp16)
        average = get_ema_multi_avg_fn(settings.ema_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        self._sound_buffers = [buffer.clone() for buffer in model.buffers()]
        self.skipped = 0
        self._skipped_in_a_row = 0

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss to those that the next step takes."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, loss: Tensor) -> bool:
        """Take a step; a loss or gradient that is not finite changes nothing and is counted.

        Raises:
            RunFailedError: 20 steps in a row were not finite.
        """
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        for of, peak in zip(self._optimizer.param_groups, self._peak_rates, strict=True):
            of["lr"] = peak * self._share
        self._step += 1
        sound = bool(torch.isfinite(loss.detach()) & torch.isfinite(norm))
        if sound:
            self._scaler.step(self._optimizer)
            self.average.update_parameters(self._model)
            self._skipped_in_a_row = 0
            self._keep_buffers()
        else:
            self._restore_buffers()
            self.skipped += 1
            self._skipped_in_a_row += 1
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        if self._skipped_in_a_row == _MOST_SKIPPED:
            raise RunFailedError(
                f"The loss was not finite {_MOST_SKIPPED} steps in a row: training diverged. The last "
                "checkpoint is sound. Lower the learning rate (--set fit.learning_rate=..., or "
                "finetune.encoder_learning_rate and finetune.head_learning_rate) and start again."
            )
        return sound

    @torch.no_grad()
    def _keep_buffers(self) -> None:
        for kept, buffer in zip(self._sound_buffers, self._model.buffers(), strict=True):
            kept.copy_(buffer)

    @torch.no_grad()
    def _restore_buffers(self) -> None:
        """Normalizations took statistics of what was not finite."""
        for kept, buffer in zip(self._sound_buffers, self._model.buffers(), strict=True):
            buffer.copy_(kept)

    @property
    def learning_rate(self) -> float:
        """Of the first group, in the next step."""
        return self._peak_rates[0] * self._share

    @property
    def _share(self) -> float:
        return warm_cosine(self._step, total=self._total, warmup=self._warmup, floor=self._floor)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs besides the model: tensors and plain values."""
        return {
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "step": self._step,
            "average": self.average.state_dict(),
            "skipped": self.skipped,
            "skipped_in_a_row": self._skipped_in_a_row,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._keep_buffers()
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._step = state["step"]
        self.average.load_state_dict(state["average"])
        self.skipped = state["skipped"]
        self._skipped_in_a_row = state["skipped_in_a_row"]


def _optimizer(groups: Sequence[dict[str, Any]], settings: TrainSettings) -> TorchOptimizer:
    filled, decay = [of for of in groups if of["params"]], settings.weight_decay
    match settings.optimizer:
        case "adamw":
            return AdamW(filled, weight_decay=decay)
        case "adam":
            return Adam(filled, weight_decay=decay)
        case "sgd":
            return SGD(filled, weight_decay=decay, momentum=_MOMENTUM, nesterov=True)
        case _:
            assert_never(settings.optimizer)
