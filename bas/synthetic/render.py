"""Pictures of many halves by several processes, in order and the same whatever their number."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread

import numpy as np
from jaxtyping import UInt8

from bas.errors import RunFailedError
from bas.synthetic.match import Recipe, contacts, pictures
from bas.synthetic.stage import Contact

_CHUNK_BYTES = 8 << 20
_CHUNKS_AHEAD = 2  # a process, so that none waits for the encoder


class Renderer:
    """Renders in this process, or in others if there is an executor."""

    def __init__(self, executor: Executor | None, *, processes: int) -> None:
        self._executor = executor
        self._processes = processes

    def contacts(self, recipe: Recipe) -> tuple[Contact, ...]:
        """What happens in a half."""
        return (
            contacts(recipe) if self._executor is None else self._executor.submit(contacts, recipe).result()
        )

    def pictures(self, recipe: Recipe) -> Iterator[UInt8[np.ndarray, "rows columns"]]:
        """All pictures of a half, packed yuv420p."""
        step = max(1, min(50, _CHUNK_BYTES // (recipe.width * recipe.height * 3 // 2)))
        spans = [(start, min(start + step, recipe.frames)) for start in range(0, recipe.frames, step)]
        if self._executor is None:
            for start, stop in spans:
                yield from pictures(recipe, start, stop)
            return
        pending: deque[Future[UInt8[np.ndarray, "frames rows columns"]]] = deque()
        for start, stop in spans:
            pending.append(self._executor.submit(pictures, recipe, start, stop))
            if len(pending) > _CHUNKS_AHEAD * self._processes:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


@contextmanager
def renderer(processes: int) -> Iterator[Renderer]:
    """A renderer with its processes, which end with the block."""
    if processes == 1:
        yield Renderer(None, processes=1)
        return
    # Not forked: the caller may hold threads and a GPU.
    spawn = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, mp_context=spawn, initializer=_end_with_parent)
    try:
        yield Renderer(executor, processes=processes)
    except BrokenProcessPool as error:
        raise RunFailedError(
            "A process that renders pictures was ended from outside, perhaps for lack of memory. "
            "Free some and run the same command again; finished videos are kept."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker as soon as the process that started it is gone, even by kill -9."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
