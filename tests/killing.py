"""Processes that are stopped in the middle of their training."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch

from bas.errors import BasError
from bas.heads.optim import Optimizer


def forked(work: Callable[[], object]) -> int:
    """Do some work in a process of its own; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BasError as error:
            status = error.exit_code
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def signal_in_step(monkeypatch: pytest.MonkeyPatch, nth: int, number: int) -> None:
    """Let the process signal itself at its nth training step."""
    real = Optimizer.step
    steps = 0

    def step(self: Optimizer, loss: torch.Tensor) -> bool:
        nonlocal steps
        steps += 1
        if steps == nth:
            os.kill(os.getpid(), number)
        return real(self, loss)

    monkeypatch.setattr(Optimizer, "step", step)
