"""Every command finds data, features and runs in the same way: an option, its variable, or the default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bas.cli import app
from bas.config import load

_FOLDERS = ("data", "features", "runs")
_COMMANDS = {
    "extract": "--device cpu",
    "fit-head": "linear --device cpu",
    "finetune-e2e": "--device cpu",
    "contact-sheet": "",
    "tune": "run --device cpu",
    "merge": "one two --out merged --device cpu",
    "eval": "--run run --device cpu",
    "compare": "one two --device cpu",
    "predict": "video.mp4 --model run --device cpu",
    "submit": "run --device cpu",
    "clips": "run --device cpu",
    "render": "run --device cpu",
}
"""Commands that work on a workspace, with arguments that they need."""
_OTHERS = {"synth", "download", "doctor", "settings", "import-weights", "demo"}


class _OpenedError(Exception):
    """Carries the folders with which a command began its work."""


def _open(self: object, data: Path, features: Path, runs: Path | None = None, *others: object) -> None:
    raise _OpenedError(data, features, runs)


def _folders_of(command: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    monkeypatch.setattr("bas.workspace.Workspace.__init__", _open)
    monkeypatch.setattr(
        "bas.commands.data.extract.extract_split",
        lambda settings, *, data, features, **others: _open(settings, data, features),
    )
    monkeypatch.setattr(
        "bas.cli.training._finetune_settings", lambda run, **named: (Path("run"), load("finetune"))
    )
    result = CliRunner().invoke(app, [command, *_COMMANDS[command].split()])
    assert isinstance(result.exception, _OpenedError), (result.output, result.exception)
    return result.exception.args


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_reads_the_folders_in_the_environment(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _FOLDERS:
        monkeypatch.setenv(f"BAS_{name.upper()}", f"elsewhere/{name}")
    *found, runs = _folders_of(command, monkeypatch)
    assert found == [Path("elsewhere/data"), Path("elsewhere/features")]
    assert runs == Path("elsewhere/runs") or command == "extract"


@pytest.mark.parametrize("command", _COMMANDS)
def test_without_the_environment_folders_are_those_of_the_working_folder(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _FOLDERS:
        monkeypatch.delenv(f"BAS_{name.upper()}", raising=False)
    *found, runs = _folders_of(command, monkeypatch)
    assert found == [Path("data"), Path("features")]
    assert runs == Path("runs") or command == "extract"


def test_every_command_is_one_of_them_or_has_no_workspace() -> None:
    commands: Any = typer.main.get_command(app)
    assert set(commands.commands) == _COMMANDS.keys() | _OTHERS


def test_without_a_model_the_message_says_where_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAS_RUNS", str(tmp_path))
    for command in ("predict", "eval", "submit", "tune"):
        result = CliRunner().invoke(app, [command, *(["video.mp4"] if command == "predict" else [])])
        message = str(result.exception)
        assert message.startswith(f"No finished run in {tmp_path}")
        assert all(word in message for word in ("bas fit-head", "bas import-weights", "shared"))
