"""Child processes, and signals that interrupt them in the middle of their work."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from bas.errors import BasError

if TYPE_CHECKING:
    from torch import Tensor


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a child process, and return its exit code or minus the signal that ended it."""
    return end_of(start_child(work))


def start_child(work: Callable[[], object]) -> int:
    """Start `work` in a child process, and return its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BasError as error:
            code = error.exit_code
        except KeyboardInterrupt:
            code = 130
        finally:
            os._exit(code)  # a child that returned would run the remaining tests
    return child


def end_of(child: int) -> int:
    """Wait for a child, and return its exit code or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def signal_in_step(monkeypatch: pytest.MonkeyPatch, nth: int, number: int) -> None:
    """Make the process send itself signal `number` at its `nth` training step."""
    from bas.heads.training.optimizer import TrainingOptimizer

    real = TrainingOptimizer.step
    steps = 0

    def step(self: TrainingOptimizer, loss: Tensor) -> bool:
        nonlocal steps
        steps += 1
        if steps == nth:
            os.kill(os.getpid(), number)
        return real(self, loss)

    monkeypatch.setattr(TrainingOptimizer, "step", step)
