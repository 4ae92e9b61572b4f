"""Runs that train in seconds, for tests of what is done with a run."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from bas.cli import app
from bas.commands.training.fit_head import fit
from bas.config import load
from bas.dataset import open_dataset
from bas.types import Game
from bas.workspace import Workspace

_SETS = ("fit.epochs=1", "fit.samples=64", "fit.batch=32", "extract.grid=[2,3]")

HOME = Workspace(Path("data"), Path("features"), Path("runs"), "cpu", "auto")
"""Workspace of the commands in the fixture `home`."""


def small_run(workspace: Workspace, head: str = "netvlad", *sets: str) -> Path:
    """Fit a head for one short epoch; the second call with the same arguments returns the same run."""
    return fit(load("heads", head=head, preset="tiny", sets=[*_SETS, *sets]), workspace)


def games_of(workspace: Workspace, split: str = "test") -> tuple[Game, ...]:
    """Matches of a split, as the small runs read them."""
    return open_dataset(workspace.data, video="224p").split(split)


def bas(*arguments: str) -> str:
    """Output of a command that succeeds."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output
