"""Run a generator in a thread of its own, a little ahead of whoever consumes it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_DEPTH = 4  # chunks that wait for the consumer
_POLL_SECONDS = 0.1
_JOIN_SECONDS = 2.0


def read_ahead(
    source: Generator[T, None, None],
    *,
    chunk: int,
    patience_seconds: float,
    progress: Callable[[], int],
    too_late: Exception,
) -> Generator[T, None, None]:
    """Yield what `source` yields; its errors come up here, and closing this ends its thread.

    Items cross in chunks, because every crossing costs a switch of the interpreter's lock. A
    thread that hangs in foreign code cannot be ended: it is left behind as a daemon.

    Args:
        source: consumed, and closed, in the thread.
        chunk: items a crossing.
        patience_seconds: how long to wait while nothing arrives and nothing moves.
        progress: a number that changes while the source is at work.
        too_late: raised when patience is over.
    """
    worker = _Worker(source, chunk)
    worker.start()
    try:
        while items := _next_chunk(worker, patience_seconds, progress, too_late):
            yield from items
        if worker.error is not None:
            raise worker.error
    finally:
        worker.stop()


def _next_chunk(
    worker: _Worker[T], patience_seconds: float, progress: Callable[[], int], too_late: Exception
) -> list[T]:
    seen, since = progress(), time.monotonic()
    while True:
        try:
            return worker.chunks.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            if progress() != seen:
                seen, since = progress(), time.monotonic()
            elif time.monotonic() - since > patience_seconds:
                raise too_late from None


class _Worker(Generic[T]):
    """The thread: it puts chunks, then an empty one, and keeps the error that ended it."""

    def __init__(self, source: Generator[T, None, None], chunk: int) -> None:
        self.chunks: queue.Queue[list[T]] = queue.Queue(_DEPTH)
        self.error: BaseException | None = None
        self._source = source
        self._chunk = chunk
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bas-decoder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        kept = _Kept()
        with kept, closing(self._source):
            while not self._stopping.is_set() and (items := list(islice(self._source, self._chunk))):
                self._put(items)
        self.error = kept.error
        self._put([])

    def _put(self, items: list[T]) -> None:
        """Hand a chunk over as soon as there is room, unless nobody wants it any more."""
        while not self._stopping.is_set():
            try:
                self.chunks.put(items, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return


class _Kept:
    """Keeps the error that ends a block, for another thread to raise."""

    error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return True
