"""The command line: quick to start, few flags, mistakes told in one message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from bas.cli import app, main

_OPTIONS = {
    "synth": "--layout --matches --minutes --profile --seed --size",
    "download": "--data --split",
    "doctor": "--video",
    "extract": "--data --decoder --device --encoder --flip --out --plan --preset --set --shard --split",
    "fit-head": "--all-data --data --decoder --device --features --fold --out --preset --set",
    "finetune-e2e": "--data --decoder --device --out --preset --run --set",
    "contact-sheet": "--data --decoder --preset --run --runs --set",
    "import-weights": "--class --out --pool --raw --window-seconds",
    "tune": "--data --decoder --device --features",
    "merge": "--data --decoder --device --features --out",
    "compare": "--data --decoder --device --features --json --markdown --split --tolerance",
    "eval": "--data --decoder --device --features --flip --json --out --predictions --run --split --tolerance",
    "predict": "--decoder --device --flip --model --out",
    "submit": "--check --data --decoder --device --features --flip --out --split",
    "clips": "--confidence --data --decoder --device --features --mistakes --model --out --split",
    "render": "--confidence --data --decoder --device --features --model --out --split",
    "demo": "--device --out",
}


_INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
from bas import cli, synthetic
synthetic.synthesize = lambda *arguments, **named: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["bas", "synth", "out"]
cli.main()
"""


def test_the_command_line_sprouts_no_flags() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    found = {
        name: " ".join(
            sorted(o for p in command.params for o in p.opts if o.startswith("--") and o != "--help")
        )
        for name, command in commands.items()
    }
    assert found == _OPTIONS


def test_help_loads_nothing_heavy() -> None:
    heavy = {
        "torch",
        "timm",
        "numpy",
        "scipy",
        "sklearn",
        "h5py",
        "av",
        "SoccerNet",
        "pydantic",
        "matplotlib",
    }
    code = "import sys, bas.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert heavy & set(loaded.split()) == set()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["eval", "--run", "nowhere"], 66, "nowhere is not there"),
        (["fit-head", "netvald"], 78, "Did you mean 'netvlad'?"),
        (["extract", "--set", "extract.hopp=3"], 78, "did you mean extract.hop?"),
        (["doctor", "nowhere"], 66, "nowhere"),
        (["eval", "--sideways"], 2, "No such option"),
        (["eval", "--predictions", "some", "--run", "other"], 2, "leave out --run"),
        (["predict", "gone.mp4", "--model", "nowhere"], 66, "gone.mp4 is not there"),
        (["predict", ".", "--model", "nowhere"], 66, ". is a folder. Give one video file"),
        (["download", "2025", "--split", "trian"], 66, "There is no split 'trian'"),
        (["clips", "nowhere"], 66, "nowhere is not there"),
        (["eval", "--predictions", "some", "--flip"], 2, "and --flip"),
        (["submit", "some", "--check", "other.zip"], 2, "leave out the run"),
        (["doctor", "gone.h5"], 66, "gone.h5 is not there"),
        (["synth", "a/b", "--seed", "-1"], 78, "seed of 0 or more"),
    ],
)
def test_a_mistake_is_one_message_and_a_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bas", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == status
    out, err = capsys.readouterr()
    assert words in " ".join(err.split())
    assert out == ""


def test_a_process_ends_with_the_code_of_its_mistake(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bas", "doctor", "nowhere"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (66, "")
    assert result.stderr.startswith("error nowhere")


def test_ctrl_c_is_one_message_and_130() -> None:
    result = subprocess.run([sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr == "error Interrupted. The same command continues where it left off.\n"
