"""Whatever the machine does to a command, it ends with a documented code and one message, never with a traceback."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from support.killing import end_of
from support.runs import HOME, small_run

from bas import cli
from bas.workspace import Workspace

Fault = Callable[[str], None]

_TINY = ("--preset", "tiny", "--set", "extract.grid=[2,3]")
_COMMANDS = {
    "synth": ("synth", "out", "--matches", "1", "--minutes", "0.1"),
    "doctor": ("doctor", "data"),
    "doctor features": ("doctor", "features"),
    "extract": ("extract", *_TINY, "--out", "out"),
    "fit-head": ("fit-head", "linear", *_TINY, "--set", "fit.seed=7"),
    "finetune-e2e": ("finetune-e2e", "--run", "runs/first", "--preset", "tiny"),
    "contact-sheet": ("contact-sheet", "--run", "runs/first", "--preset", "tiny"),
    "import-weights": ("import-weights", "netvlad", "weights.pth", "--out", "out"),
    "tune": ("tune", "runs/first"),
    "merge": ("merge", "runs/first", "runs/second", "--out", "out"),
    "compare": ("compare", "runs/first", "runs/second"),
    "eval": ("eval", "--run", "runs/first"),
    "eval --predictions": ("eval", "--predictions", "predictions", "--split", "test"),
    "predict": ("predict", "video.mp4", "--model", "runs/first", "--out", "out"),
    "submit": ("submit", "runs/first", "--split", "test", "--out", "out.zip"),
    "submit --check": ("submit", "--check", "predictions.zip"),
    "clips": ("clips", "runs/first", "--out", "out"),
    "render": ("render", "video.mp4", "--model", "runs/first", "--out", "out.mp4"),
    "demo": ("demo", "--out", "out"),
}


def _raising(make: Callable[[], Exception]) -> Fault:
    def fault(path: str) -> NoReturn:
        raise make()

    return fault


def _terminate(path: str) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


_FAULTS: dict[str, tuple[Fault, set[int]]] = {
    "SIGTERM": (_terminate, {75}),
    "MemoryError": (_raising(MemoryError), {70}),
    "out of memory on the CPU": (
        _raising(lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: 7 bytes")),
        {70},
    ),
    "EIO": (_raising(lambda: OSError(errno.EIO, os.strerror(errno.EIO))), {65, 66, 74, 78}),
    "ESTALE": (_raising(lambda: OSError(errno.ESTALE, os.strerror(errno.ESTALE))), {65, 66, 74, 78}),
}


@pytest.fixture(scope="module")
def stage(home: Path, workspace: Workspace, short_search: None) -> Path:
    """The working folder with two runs, a video, and stored predictions as a folder and as a zip."""
    for name, head in (("first", "linear"), ("second", "netvlad")):
        (home / "runs" / name).symlink_to(small_run(HOME, head).absolute())
    (home / "video.mp4").symlink_to(next(workspace.data.resolve().rglob("*.mp4")))
    torch.save({"state_dict": {}}, home / "weights.pth")
    for arguments in (
        ("eval", "--run", "runs/first", "--out", "predictions"),
        ("submit", "runs/first", "--split", "test", "--out", "predictions.zip"),
    ):
        assert run_command(*arguments)[0] == 0
    return home


def run_command(*arguments: str, fault: Fault | None = None) -> tuple[int, str]:
    """Exit code and stderr of a command in a child process, with a fault whenever it opens a file of the user."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Path("stderr.txt").open("w") as sys.stderr, Path("stdout.txt").open("w") as sys.stdout:
                sys.argv = ["bas", *arguments]
                if fault is not None:
                    sys.addaudithook(_hook(fault))
                try:
                    cli.main()
                except SystemExit as end:
                    code = int(end.code or 0)
                except BaseException:  # noqa: BLE001  (as the interpreter does)
                    traceback.print_exc()
        finally:
            os._exit(code)
    return end_of(child), Path("stderr.txt").read_text()


def _hook(fault: Fault) -> Callable[[str, tuple[Any, ...]], None]:
    here = str(Path.cwd())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], (str, bytes)):
            return
        path = os.fsdecode(arguments[0])
        of_user = not path.startswith("/") or path.startswith(here)
        if of_user and path not in ("stdout.txt", "stderr.txt"):
            fault(path)

    return hook


@pytest.mark.parametrize("fault", _FAULTS)
@pytest.mark.parametrize("command", _COMMANDS)
def test_a_command_ends_with_a_documented_code_and_one_message(stage: Path, command: str, fault: str) -> None:
    cause, codes = _FAULTS[fault]
    code, stderr = run_command(*_COMMANDS[command], fault=cause)
    assert "Traceback" not in stderr
    assert code in codes, stderr
    assert stderr.count("error ") == 1, stderr
    assert not list(stage.rglob("*.tmp.*"))


@pytest.mark.fault("C12")
@pytest.mark.parametrize("command", ["doctor", "doctor features", "eval --predictions", "submit --check"])
def test_a_file_that_another_machine_replaced_is_opened_again(stage: Path, command: str) -> None:
    met: set[str] = set()

    def once(path: str) -> None:
        if path not in met and Path(path).exists():  # files that are to be written do not exist yet
            met.add(path)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)

    code, stderr = run_command(*_COMMANDS[command], fault=once)
    assert (code, stderr) == run_command(*_COMMANDS[command])
    assert code == 0


@pytest.mark.fault("C05")
def test_a_command_works_where_the_file_system_refuses_locks(
    stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    code, stderr = run_command(*_COMMANDS["extract"][:-1], "other")
    assert code == 0, stderr
    assert not list(stage.rglob("*.lease*"))
