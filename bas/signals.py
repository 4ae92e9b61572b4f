"""A polite end: the first signal asks a run to stop at the next good place, a later one ends it at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bas.errors import StoppedError

_ASKING = (signal.SIGTERM, signal.SIGUSR1)
_ECHO_SECONDS = 5.0  # managers that signal a whole group reach a process directly and through its parent


class StopFlag:
    """Set by a signal; work asks it between two steps."""

    def __init__(self) -> None:
        self.raised = False
        self.at_keyboard = False
        """Whether it was Ctrl-C."""

    def check(self) -> None:
        """Raise what ends a command once a signal has come: `StoppedError`, or `KeyboardInterrupt` after Ctrl-C."""
        if self.at_keyboard:
            raise KeyboardInterrupt
        if self.raised:
            raise StoppedError("Stopped as asked. The same command continues where it left off.")


@contextmanager
def stop_on_signals(*more: signal.Signals) -> Iterator[StopFlag]:
    """Turn SIGTERM, SIGUSR1 and `more` into a flag for as long as the block runs."""
    flag = StopFlag()
    asked = 0.0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if flag.raised and time.monotonic() - asked > _ECHO_SECONDS:
            os._exit(130 if flag.at_keyboard else StoppedError.exit_code)
        if not flag.raised:
            asked = time.monotonic()
            flag.raised, flag.at_keyboard = True, number == signal.SIGINT

    former = {number: signal.signal(number, ask) for number in (*_ASKING, *more)}
    try:
        yield flag
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
