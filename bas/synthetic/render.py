"""Parallel rendering of halves: pictures in order, identical for any number of processes."""

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
from bas.synthetic.match import HalfSpec, contacts_of, render_pictures
from bas.synthetic.simulation.stage import Contact

_CHUNK_BYTES = 8 << 20
_CHUNKS_AHEAD = 2  # per process, so that none waits for the encoder


class Renderer:
    """Renderer that works in this process, or in worker processes if it has an executor."""

    def __init__(self, executor: Executor | None, *, processes: int) -> None:
        self._executor = executor
        self._processes = processes

    def contacts(self, spec: HalfSpec) -> tuple[Contact, ...]:
        """Return the labelled contacts of a half."""
        return (
            contacts_of(spec) if self._executor is None else self._executor.submit(contacts_of, spec).result()
        )

    def pictures(self, spec: HalfSpec) -> Iterator[UInt8[np.ndarray, "rows columns"]]:
        """Yield all pictures of a half as packed yuv420p."""
        step = max(1, min(50, _CHUNK_BYTES // (spec.width * spec.height * 3 // 2)))
        spans = [(start, min(start + step, spec.frames)) for start in range(0, spec.frames, step)]
        if self._executor is None:
            for start, stop in spans:
                yield from render_pictures(spec, start, stop)
            return
        pending: deque[Future[UInt8[np.ndarray, "frames rows columns"]]] = deque()
        for start, stop in spans:
            pending.append(self._executor.submit(render_pictures, spec, start, stop))
            # Limit the chunks in flight: the encoder may be slower than the workers.
            if len(pending) > _CHUNKS_AHEAD * self._processes:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


@contextmanager
def open_renderer(processes: int) -> Iterator[Renderer]:
    """Open a renderer; its processes end with the block."""
    if processes == 1:
        yield Renderer(None, processes=1)
        return
    # Spawn, not fork: the caller may have threads and a CUDA context.
    spawn = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, mp_context=spawn, initializer=_exit_with_parent)
    try:
        yield Renderer(executor, processes=processes)
    except BrokenProcessPool as error:
        raise RunFailedError(
            "A rendering process was killed, possibly because memory ran out. "
            "Free some memory and run the same command again; finished videos are kept."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _exit_with_parent() -> None:
    """Exit this worker as soon as its parent process is gone, even after kill -9."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def exit_after_parent() -> None:
        parent.join()
        os._exit(1)

    Thread(target=exit_after_parent, daemon=True).start()
