"""The typer application that all commands register with, and how errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bas import __version__, console
from bas.errors import StoppedError, explained
from bas.signals import STOPPED, Terminated, terminate_on_signals


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
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # typer's boxes repeat a type behind every option, even `<bool>` behind flags
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        console.show(f"bas {__version__}, torch {metadata.version('torch')}")
        raise typer.Exit
    return wanted


@app.callback()
def _bas(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the versions of bas and torch."
        ),
    ] = False,
) -> None:
    """Ball action spotting: find every pass, drive and shot in soccer video, to the frame."""


def main() -> None:
    """Run one command. Whatever is not a bug becomes one message and an exit code."""
    try:
        with terminate_on_signals():
            app()
        return
    except Terminated:
        console.error(STOPPED)
        os._exit(StoppedError.exit_code)  # as after Ctrl-C
    except Exception as error:
        known = explained(error)
        if known is None:
            raise
    # After the block, which holds the memory of all that failed.
    console.error(str(known))
    sys.exit(known.exit_code)
