"""Progress, tables and log lines: one voice. Results go to stdout, all else to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_LINE_SECONDS = 15.0  # between two plain lines where there is no terminal

_PLAIN_COLUMNS = 140  # where there is no terminal whose width could be asked for

_out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PLAIN_COLUMNS)
_log = Console(stderr=True, highlight=False, soft_wrap=True)
_last = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One log line, on stderr."""
    _log.print(escape(text))


def warn(text: str) -> None:
    """One line that a user should not miss, on stderr."""
    _last.print(f"[yellow]warning[/yellow] {escape(text)}")


def fail(text: str) -> None:
    """The one message of a run that failed, on stderr; `hush` does not silence it."""
    _last.print(f"[red]error[/red] {escape(text)}")


def hush() -> None:
    """Say nothing more but warnings and how it ends: another process of the same training speaks."""
    _log.quiet = _out.quiet = True


def show(*items: Table | str) -> None:
    """Results, on stdout."""
    for item in items:
        _out.print(escape(item) if isinstance(item, str) else item)


def ask_secret(question: str) -> str | None:
    """What a person types, unseen; None where nobody sits at a terminal."""
    import getpass

    return getpass.getpass(question) if sys.stdin.isatty() else None


def table(title: str, *columns: str, left: int = 1) -> Table:
    """An empty table: the first `left` columns hold words, the others numbers."""
    result = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        result.add_column(column, justify="left" if i < left else "right", no_wrap=i > 0)
    return result


@runtime_checkable
class Advance(Protocol):
    """What `progress` hands out."""

    def __call__(self, steps: int = 1, *, note: str = "") -> None: ...


@contextmanager
def progress(what: str, total: int, *, unit: str) -> Iterator[Advance]:
    """Report how far a long job is: a bar with rate and remaining time, or plain lines."""
    started = time.monotonic()
    done = 0

    def rate() -> float:
        return done / max(time.monotonic() - started, 1e-9)

    def speed() -> str:
        return f"{rate():.0f} {unit}/s" if rate() >= 10 else f"{rate():.2g} {unit}/s"

    if _log.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=_log, transient=True) as bar:
            task = bar.add_task(escape(what), total=total, rate="", note="")

            def advance(steps: int = 1, *, note: str = "") -> None:
                nonlocal done
                done += steps
                bar.update(task, completed=done, rate=speed(), note=escape(note))

            yield advance
        return

    spoken = started

    def advance_plainly(steps: int = 1, *, note: str = "") -> None:
        nonlocal done, spoken
        done += steps
        if time.monotonic() - spoken >= _LINE_SECONDS:
            spoken = time.monotonic()
            left = (total - done) / rate()
            say(f"{what}: {done}/{total} {unit}, {speed()}, {left:.0f} s left {note}".rstrip())

    yield advance_plainly
