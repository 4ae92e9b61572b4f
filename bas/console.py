"""Progress bars, tables and log lines. Results go to stdout, everything else to stderr.

Names from files may hold anything. Control characters, which could rewrite the terminal, and bytes that are no
text are printed as escapes, and brackets are not markup.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, runtime_checkable

from rich import markup
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_LINE_SECONDS = 15.0  # between two lines of progress without a terminal
_PLAIN_COLUMNS = 140  # width of tables without a terminal

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class _Log(Console):
    """Console of messages: one that cannot be written, as to a file on a full disk, does not end hours of work."""

    def print(self, *objects: Any, **options: Any) -> None:
        with suppress(OSError):
            super().print(*objects, **options)


_out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PLAIN_COLUMNS)
_log = _Log(stderr=True, highlight=False, soft_wrap=True)
_always = _Log(stderr=True, highlight=False, soft_wrap=True)


def info(text: str) -> None:
    """Print a log line to stderr."""
    _log.print(_literal(text))


def warn(text: str) -> None:
    """Print a warning to stderr."""
    _always.print(f"[yellow]warning[/yellow] {_literal(text)}")


def error(text: str) -> None:
    """Print the error that ends a command to stderr, even after `silence`."""
    _always.print(f"[red]error[/red] {_literal(text)}")


def silence() -> None:
    """Suppress log lines and results, as on all but one process of a training; warnings and errors still print."""
    _log.quiet = _out.quiet = True


def show(*items: Table | str) -> None:
    """Print results to stdout."""
    for item in items:
        _out.print(_literal(item) if isinstance(item, str) else item)


def prompt_secret(prompt: str) -> str | None:
    """Read a secret from the terminal without echo; None if there is no terminal."""
    import getpass

    return getpass.getpass(prompt) if sys.stdin.isatty() else None


def table(title: str, *columns: str, left: int = 1) -> Table:
    """Create an empty table; the first `left` columns are left-aligned, the others right-aligned."""
    result = _Table(
        title=_printable(title), title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for i, column in enumerate(columns):
        result.add_column(column, justify="left" if i < left else "right", no_wrap=i > 0)
    return result


class _Table(Table):
    """Table whose cells hold no control characters."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(_printable(one) if isinstance(one, str) else one for one in cells), **options)


def _printable(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _literal(text: str) -> str:
    return markup.escape(_printable(text))


@runtime_checkable
class Advance(Protocol):
    """Reports `steps` finished steps to `progress`, with an optional note beside the bar."""

    def __call__(self, steps: int = 1, *, note: str = "") -> None: ...


@contextmanager
def progress(description: str, total: int, *, unit: str) -> Iterator[Advance]:
    """Show the progress of a long job: a bar with rate and remaining time, or plain lines without a terminal.

    Args:
        description: name of the job.
        total: number of steps.
        unit: name of the steps.
    """
    started = printed_at = time.monotonic()
    done = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=_log, transient=True, disable=not _log.is_terminal) as bar:
        task = bar.add_task(_literal(description), total=total, speed="", note="")

        def advance(steps: int = 1, *, note: str = "") -> None:
            nonlocal done, printed_at
            done += steps
            now = time.monotonic()
            rate = done / max(now - started, 1e-9)
            speed = f"{rate:.0f} {unit}/s" if rate >= 10 else f"{rate:.2g} {unit}/s"
            bar.update(task, completed=done, speed=speed, note=_literal(note))
            if bar.disable and now - printed_at >= _LINE_SECONDS:
                printed_at = now
                left = (total - done) / rate
                info(f"{description}: {done}/{total} {unit}, {speed}, {left:.0f} s left {note}".rstrip())

        yield advance
