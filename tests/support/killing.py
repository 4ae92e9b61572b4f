"""Child processes, and signals that interrupt them in the middle of their work."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from bas.errors import explained

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
        except KeyboardInterrupt:
            code = 130
        except Exception as error:  # noqa: BLE001 - as the command line answers it
            known = explained(error)
            code = code if known is None else known.exit_code
        finally:
            os._exit(code)  # a child that returned would run the remaining tests
    return child


def start_two(work: Callable[[int], object]) -> list[int]:
    """Start `work(rank)` in two processes as torchrun would start them, and return their ids."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def process(rank: int) -> int:
        def run() -> None:
            os.environ |= {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
            }  # fmt: skip
            work(rank)

        return start_child(run)

    return [process(0), process(1)]


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
