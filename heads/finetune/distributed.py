"""Communication between the processes of one training run: one per GPU, started by torchrun, or a single one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from bas import console
from bas.errors import BasError, RunFailedError, SettingsError

T = TypeVar("T")

_STEP_TIMEOUT = timedelta(minutes=10)
_CONTROL_TIMEOUT = timedelta(hours=2)  # the others wait that long for a process that is still validating
_ERROR_KEY = "bas/error"


@dataclass(frozen=True, slots=True)
class DistributedContext:
    """Rank of this process, and collective operations with the other processes of the training run."""

    rank: int = 0
    world_size: int = 1
    """Number of processes."""
    control: distributed.ProcessGroup | None = None
    """Group for all communication outside training steps; None for a single process."""
    steps: distributed.ProcessGroup | None = None
    """Group for the values of each step, with a shorter timeout; None for a single process."""
    store: Store | None = None
    """Key-value store for the error of a failed process; None for a single process."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints; the others do neither."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """Collect the value of every process, ordered by rank, in all of them."""
        if self.control is None:
            return [value]
        values: list[Any] = [None] * self.world_size
        distributed.all_gather_object(values, value, group=self.control)
        return values

    def broadcast(self, make: Callable[[], T]) -> T:
        """Call `make` in the main process only, and return its result in all processes."""
        if self.control is None:
            return make()
        values: list[Any] = [make() if self.is_main else None]
        distributed.broadcast_object_list(values, src=0, group=self.control)
        value: T = values[0]
        return value

    def all_reduce_sum(self, values: Sequence[float]) -> list[float]:
        """Sum each value over all processes."""
        if self.steps is None:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(sums, group=self.steps)
        return [float(value) for value in sums]

    def require_same(self, value: str, *, what: str) -> None:
        """Refuse to start processes with different inputs.

        Args:
            value: digest of the inputs of this process.
            what: name of the inputs, for the message.

        Raises:
            SettingsError: `value` differs from that of process 0; lists the ranks where it does.
        """
        values = self.gather(value)
        others = [rank for rank, theirs in enumerate(values) if theirs != values[0]]
        if others:
            raise SettingsError(
                f"Different {what}: processes {', '.join(map(str, others))} do not match process 0. Start all of them "
                "with the same command, the same version of bas, and the same data."
            )

    @contextmanager
    def report_failures(self) -> Iterator[None]:
        """Report to the other processes why this one failed, or raise the error that another one reported.

        Raises:
            RunFailedError: another process failed or was lost.
        """
        try:
            yield
        except Exception as error:
            if not _is_lost_peer(error):
                self._publish_error(str(error) if isinstance(error, BasError) else repr(error))
                raise
            raise RunFailedError(
                f"Another process of this training ended: {self._published_error()}. Checkpoints are kept; the same "
                "command continues."
            ) from error

    def _publish_error(self, text: str) -> None:
        if self.store is not None:
            with suppress(RuntimeError):  # the store is gone if the process that hosts it is
                # Set only if there is none: errors that follow from the first must not replace it.
                self.store.compare_set(_ERROR_KEY, "", f"process {self.rank}: {text}")

    def _published_error(self) -> str:
        if self.store is not None:
            with suppress(RuntimeError):
                # `get` would block until the key is set, so check first.
                if self.store.check([_ERROR_KEY]):
                    return str(self.store.get(_ERROR_KEY).decode())
        return "it was killed, or its machine was lost"


@contextmanager
def init_distributed(device: torch.device) -> Iterator[DistributedContext]:
    """Join the processes that torchrun started, for the duration of the block.

    Raises:
        RunFailedError: another process failed or was lost.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield DistributedContext()
        return
    store, rank, world_size = next(rendezvous("env://"))
    if rank:
        console.silence()
    cuda = device.type == "cuda"
    distributed.init_process_group(
        "nccl" if cuda else "gloo", store=store, rank=rank, world_size=world_size, timeout=_STEP_TIMEOUT
    )
    try:
        control, steps = (
            distributed.new_group(backend="gloo", timeout=timeout)
            for timeout in (_CONTROL_TIMEOUT, _STEP_TIMEOUT)
        )
        assert isinstance(control, distributed.ProcessGroup)
        assert isinstance(steps, distributed.ProcessGroup)
        context = DistributedContext(rank, world_size, control, steps, store)
        with context.report_failures():
            yield context
    finally:
        distributed.destroy_process_group()


def _is_lost_peer(error: Exception) -> bool:
    # gloo reports a lost connection as a plain RuntimeError that only its text gives away.
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )
