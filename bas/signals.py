"""Graceful shutdown: the first signal stops a run at the next safe point, a later one ends the process at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bas.errors import StoppedError

STOPPED = "Stopped by a signal. Run the same command again to continue."

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
_ECHO_SECONDS = (
    5.0  # job managers that signal a process group reach a process directly and through its parent
)


class StopFlag:
    """Flag set by a signal; long loops call `check` between two steps."""

    def __init__(self) -> None:
        self.raised = False
        self.at_keyboard = False
        """Whether the signal was Ctrl-C."""

    def check(self) -> None:
        """Raise `StoppedError` if a signal has arrived, or `KeyboardInterrupt` if it was Ctrl-C."""
        if self.at_keyboard:
            raise KeyboardInterrupt
        if self.raised:
            raise StoppedError(STOPPED)


class Terminated(BaseException):
    """A stop signal outside of the loops that check a flag.

    As KeyboardInterrupt, it is no Exception: code that goes on after an error must not go on after it.
    """


@contextmanager
def terminate_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGUSR1 raise `Terminated` while the block runs, except inside `stop_on_signals`."""
    first_time = 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first_time
        if not first_time:
            first_time = time.monotonic()
            raise Terminated
        if time.monotonic() - first_time > _ECHO_SECONDS:
            os._exit(StoppedError.exit_code)

    former = {number: signal.signal(number, handle) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signals(*more: signal.Signals) -> Iterator[StopFlag]:
    """Let SIGTERM, SIGUSR1 and `more` set a flag while the block runs; earlier handlers are restored at the end."""
    flag = StopFlag()
    first_time = 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first_time
        # A signal soon after the first is probably the same request, delivered twice: see _ECHO_SECONDS.
        if flag.raised and time.monotonic() - first_time > _ECHO_SECONDS:
            os._exit(130 if flag.at_keyboard else StoppedError.exit_code)
        if not flag.raised:
            first_time = time.monotonic()
            flag.raised, flag.at_keyboard = True, number == signal.SIGINT

    former = {number: signal.signal(number, handle) for number in (*_STOP_SIGNALS, *more)}
    try:
        yield flag
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
