"""The roof: the application that the commands hang under, and how a command ends."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from bas import console
from bas.errors import BasError, MissingError


class _Commands(TyperGroup):
    """All commands; Ctrl-C in one is told, and ends it at once."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.fail("Interrupted. The same command continues where it left off.")
            os._exit(130)


app = typer.Typer(
    name="bas",
    cls=_Commands,
    help="Ball action spotting: every pass, drive and shot of a soccer broadcast, to the frame.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run one command; a mistake that the user can mend becomes one message and an exit code."""
    try:
        app()
    except BasError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except PermissionError as error:
        console.fail(f"{error.filename} cannot be read: {error.strerror}. Give yourself access to it.")
        sys.exit(MissingError.exit_code)
