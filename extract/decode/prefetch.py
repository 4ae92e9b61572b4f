"""Prefetching: a generator that runs in its own thread, a few chunks ahead of its consumer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

_QUEUE_CHUNKS = 4
_POLL_SECONDS = 0.1
_JOIN_SECONDS = 2.0


def prefetch(
    source: Generator[T, None, None],
    *,
    chunk: int,
    timeout_seconds: float,
    progress: Callable[[], int],
    timeout_error: Exception,
) -> Generator[T, None, None]:
    """Yield the items of `source`, re-raise its errors, and end its thread when closed.

    Items cross in chunks, because every crossing costs a switch of the interpreter's lock. A
    thread that hangs in foreign code cannot be ended: it is left behind as a daemon.

    Args:
        source: generator to consume and close in the thread.
        chunk: number of items per queue entry.
        timeout_seconds: longest wait during which nothing arrives and `progress` stays the same.
        progress: returns a number that changes while the source is working.
        timeout_error: exception to raise after the timeout.
    """
    worker = _Worker(source, chunk)
    worker.start()
    try:
        while items := _next_chunk(worker, timeout_seconds, progress, timeout_error):
            yield from items
        if worker.error is not None:
            raise worker.error
    finally:
        worker.stop()


def _next_chunk(
    worker: _Worker[T], timeout_seconds: float, progress: Callable[[], int], timeout_error: Exception
) -> list[T]:
    seen, since = progress(), time.monotonic()
    while True:
        try:
            return worker.chunks.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            # A seek may decode for a long time before the first item: only a standstill is a hang.
            if progress() != seen:
                seen, since = progress(), time.monotonic()
            elif time.monotonic() - since > timeout_seconds:
                raise timeout_error from None


class _Worker(Generic[T]):
    """Thread that queues chunks, then an empty chunk, and keeps the error that ended it."""

    def __init__(self, source: Generator[T, None, None], chunk: int) -> None:
        self.chunks: queue.Queue[list[T]] = queue.Queue(_QUEUE_CHUNKS)
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
        # Closed here, not by the consumer: a running generator cannot be closed from another thread,
        # and decoders capture FFmpeg's log per thread.
        try:
            with closing(self._source):
                while not self._stopping.is_set() and (items := list(islice(self._source, self._chunk))):
                    self._put(items)
        except BaseException as error:  # noqa: BLE001 (the consumer's thread raises it)
            self.error = error  # before the empty chunk: the consumer reads it after that one
        self._put([])

    def _put(self, items: list[T]) -> None:
        """Queue a chunk as soon as there is room; drop it once the consumer has stopped."""
        # Not a blocking put: a consumer that closes early never empties the queue again.
        while not self._stopping.is_set():
            try:
                self.chunks.put(items, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return
