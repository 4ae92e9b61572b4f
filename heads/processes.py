"""The processes of one training: one a GPU, started by torchrun; or this one alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from bas import console
from bas.errors import BasError, RunFailedError, SettingsError

T = TypeVar("T")

_COLLECTIVE = timedelta(minutes=10)
_CONTROL = timedelta(hours=2)  # one process may judge matches that long while the others wait
_ERROR = "bas/error"


class Processes:
    """What the processes of a training tell each other."""

    def __init__(
        self,
        rank: int = 0,
        world: int = 1,
        *,
        control: distributed.ProcessGroup | None = None,
        steps: distributed.ProcessGroup | None = None,
        store: Store | None = None,
    ) -> None:
        """
        Args:
            rank: number of this process.
            world: how many there are.
            control: carries what is not gradients; None for one process.
            steps: carries what every step tells, with less patience; None for one process.
            store: takes the last words of a process; None for one process.
        """
        self.rank, self.world = rank, world
        self._control, self._steps, self._store = control, steps, store

    @property
    def first(self) -> bool:
        """Whether this process writes files; the others are silent too."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """The value of every process, by rank."""
        if self._control is None:
            return [value]
        values: list[Any] = [None] * self.world
        distributed.all_gather_object(values, value, group=self._control)
        return values

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first process made."""
        if self._control is None:
            return make()
        made: list[Any] = [make() if self.first else None]
        distributed.broadcast_object_list(made, src=0, group=self._control)
        value: T = made[0]
        return value

    def total(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self._steps is None:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(sums, group=self._steps)
        return [float(value) for value in sums]

    def require_same(self, value: str, *, what: str) -> None:
        """Refuse to start when processes were given different things.

        Raises:
            SettingsError: with the ranks that differ from the first.
        """
        values = self.gather(value)
        others = [rank for rank, theirs in enumerate(values) if theirs != values[0]]
        if others:
            raise SettingsError(
                f"The {what} of processes {', '.join(map(str, others))} are not those of process 0. Start all of "
                "them with the same command, the same version of bas, and the same data."
            )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Tell the others why this process ends, and learn from them why another did.

        Raises:
            RunFailedError: another process failed, or was lost.
        """
        try:
            yield
        except Exception as error:
            if not _is_lost_peer(error):
                self._leave(str(error) if isinstance(error, BasError) else repr(error))
                raise
            raise RunFailedError(
                f"Another process of this training ended: {self._last_words()}. Checkpoints are kept: the same "
                "command continues."
            ) from error

    def _leave(self, words: str) -> None:
        if self._store is not None:
            with suppress(RuntimeError):  # the store may be gone with the process that held it
                self._store.compare_set(_ERROR, "", f"process {self.rank}: {words}")  # the first cause stays

    def _last_words(self) -> str:
        if self._store is not None:
            with suppress(RuntimeError):
                if self._store.check([_ERROR]):
                    return str(self._store.get(_ERROR).decode())
        return "it was killed, or its machine was lost"


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun started, as long as the block runs.

    Raises:
        RunFailedError: another process failed, or was lost.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    store, rank, world = next(rendezvous("env://"))
    if rank:
        console.hush()
    cuda = device.type == "cuda"
    distributed.init_process_group(
        "nccl" if cuda else "gloo", store=store, rank=rank, world_size=world, timeout=_COLLECTIVE
    )
    try:
        control, steps = (
            distributed.new_group(backend="gloo", timeout=patience) for patience in (_CONTROL, _COLLECTIVE)
        )
        assert isinstance(control, distributed.ProcessGroup)
        assert isinstance(steps, distributed.ProcessGroup)
        processes = Processes(rank, world, control=control, steps=steps, store=store)
        with processes.watched():
            yield processes
    finally:
        distributed.destroy_process_group()


def _is_lost_peer(error: Exception) -> bool:
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )
