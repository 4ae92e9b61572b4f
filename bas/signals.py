"""A polite end: the first signal asks a run to stop at the next good place, the second ends it at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bas.errors import StoppedError

_ASKING = (signal.SIGTERM, signal.SIGUSR1)


class StopFlag:
    """Set by a signal; work asks it between two steps."""

    def __init__(self) -> None:
        self.raised = False

    def check(self) -> None:
        """Raise `StoppedError` once a signal has come."""
        if self.raised:
            raise StoppedError("Stopped as asked. The same command continues where it left off.")


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """Turn SIGTERM and SIGUSR1 into a flag for as long as the block runs."""
    flag = StopFlag()

    def ask(number: int, frame: FrameType | None) -> None:
        if flag.raised:
            os._exit(StoppedError.exit_code)
        flag.raised = True

    former = {number: signal.signal(number, ask) for number in _ASKING}
    try:
        yield flag
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
