"""The command line: it starts fast, has few options, and reports each error in one message."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import bas
from bas.cli import app, main

_OPTIONS = {
    "synth": "--layout --matches --minutes --profile --seed --size",
    "download": "--data --split",
    "doctor": "--video",
    "settings": "",
    "extract": "--data --decoder --device --encoder --flip --out --plan --preset --set --shard --split",
    "fit-head": "--all-data --data --decoder --device --features --fold --out --preset --set",
    "finetune-e2e": "--data --decoder --device --out --preset --run --set",
    "contact-sheet": "--data --decoder --preset --run --runs --set",
    "import-weights": "--class --out --pool --rate --raw --window-seconds",
    "tune": "--data --decoder --device --features",
    "merge": "--data --decoder --device --features --out",
    "compare": "--data --decoder --device --features --json --markdown --split --tolerance",
    "eval": "--data --decoder --device --features --flip --framerate --json --out --predictions --resamples --run --split "
    "--tolerance",
    "predict": "--decoder --device --flip --model --out",
    "submit": "--check --data --decoder --device --features --flip --out --split",
    "clips": "--confidence --data --decoder --device --features --mistakes --model --out --split",
    "render": "--confidence --data --decoder --device --features --model --out --split",
    "demo": "--device --out",
}


_INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell start with SIGINT ignored
from bas import cli, synthetic
synthetic.synthesize = lambda *arguments, **named: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["bas", "synth", "out"]
cli.main()
"""


@pytest.mark.fault("S08", "P30")
def test_the_commands_have_exactly_these_options() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    found = {
        name: " ".join(
            sorted(o for p in command.params for o in p.opts if o.startswith("--") and o != "--help")
        )
        for name, command in commands.items()
    }
    assert found == _OPTIONS


def test_help_fits_into_80_columns_and_flags_have_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in ([], *([name] for name in _OPTIONS)):
        result = CliRunner().invoke(app, [*command, "--help"])
        assert result.exit_code == 0
        assert max(map(len, result.output.splitlines())) <= 80
        assert "<bool>" not in result.output
        assert "..." not in result.output.replace("[ARGS]...", "").replace(
            "{RUN}...", ""
        )  # nothing is cut off


def test_version_names_bas_and_torch() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"bas {bas.__version__}, torch {version('torch')}\n")


def test_importing_the_command_line_loads_no_heavy_package() -> None:
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
        (["eval", "--run", "nowhere"], 66, "nowhere does not exist"),
        (["fit-head", "netvald"], 78, "Did you mean 'netvlad'?"),
        (["extract", "--set", "extract.hopp=3"], 78, "did you mean extract.hop?"),
        (["doctor", "nowhere"], 66, "nowhere"),
        (["eval", "--sideways"], 2, "No such option"),
        (["eval", "--predictions", "some", "--run", "other"], 2, "leave out --run"),
        (["predict", "gone.mp4", "--model", "nowhere"], 66, "Video gone.mp4 not found"),
        (["predict", ".", "--model", "nowhere"], 66, ". is a folder. Name one video file"),
        (["download", "2025", "--split", "trian"], 66, "Unknown split 'trian' (did you mean train?)"),
        (["clips", "nowhere"], 66, "nowhere does not exist"),
        (["eval", "--predictions", "some", "--flip"], 2, "and --flip"),
        (["submit", "some", "--check", "other.zip"], 2, "leave out the run"),
        (["doctor", "gone.h5"], 66, "gone.h5 does not exist"),
        (["synth", "a/b", "--seed", "-1"], 78, "seed of 0 or more"),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(
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


def test_the_process_exits_with_the_code_of_the_error(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bas", "doctor", "nowhere"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (66, "")
    assert result.stderr.startswith("error nowhere")


@pytest.mark.fault("V16", "P07")
def test_ctrl_c_prints_one_message_and_exits_with_130() -> None:
    result = subprocess.run([sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr == "error Interrupted. Run the same command again to resume.\n"
