"""The typer application that all commands register with, and how errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from bas import console
from bas.errors import BasError, MissingError


class ResumableGroup(TyperGroup):
    """Command group that answers Ctrl-C with one message and exits with code 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.error("Interrupted. Run the same command again to resume.")
            os._exit(130)  # sys.exit would wait for decoder and worker threads


app = typer.Typer(
    name="bas",
    cls=ResumableGroup,
    help="Ball action spotting: find every pass, drive and shot in soccer video, to the frame.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run one command. An error that the user can fix becomes one message and an exit code."""
    try:
        app()
    except BasError as error:
        console.error(str(error))
        sys.exit(error.exit_code)
    except PermissionError as error:
        console.error(f"Cannot access {error.filename}: {error.strerror}. Check its permissions.")
        sys.exit(MissingError.exit_code)
