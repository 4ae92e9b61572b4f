"""`bas finetune-e2e` on synthetic matches: runs survive kills, with one or two processes, and all commands take the model."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.killing import end_of, in_child, signal_in_step, start_two
from typer.testing import CliRunner

import bas
from bas.cli import app
from bas.commands.training.finetune import finetune
from bas.commands.training.fit_head import fit
from bas.config import load
from bas.errors import SettingsError
from bas.files import read_json
from bas.heads.finetune.memory import device_memory
from bas.heads.interop.model_folder import load_settings
from bas.heads.models.stacker import Stacker
from bas.heads.training.validation import Validation
from bas.workspace import Workspace

_FIT = (
    "fit.epochs=2", "fit.samples=96", "fit.batch=32", "extract.grid=[1,2]", "extract.height=32", "extract.width=64",
)  # fmt: skip
_FINETUNE = ("finetune.samples=8", "finetune.batch=2", "finetune.epochs=2", "finetune.checkpoint_steps=3")


@pytest.fixture(scope="module")
def fitted(home: Path) -> Path:
    """A fitted head in the default runs folder of the commands."""
    settings = load("heads", head="netvlad", preset="tiny", sets=[*_FIT, "head.dropout=0"])
    return fit(settings, _workspace(Path("runs")))


@pytest.fixture(scope="module")
def reference(home: Path, fitted: Path) -> Path:
    """A training run of stage 3 that nothing interrupted."""
    assert in_child(lambda: _run_finetune(home / "reference")) == 0
    return next((home / "reference").glob("e2e-*"))


def _workspace(runs: Path) -> Workspace:
    return Workspace(Path("data"), Path("features"), runs, "cpu", "auto")


def _fitted() -> Path:
    return next(Path("runs").glob("netvlad-*"))


def _run_finetune(runs: Path, *sets: str, preset: str = "tiny", run: Path | None = None) -> Path:
    torch.set_num_threads(1)
    start = run or _fitted()
    settings = load("finetune", base=load_settings(start), preset=preset, sets=[*_FINETUNE, *sets])
    return finetune(start, settings, _workspace(runs))


def _metrics(run: Path) -> list[dict[str, Any]]:
    """Records of the epochs, without the times measured."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    keys = ("epoch", "step", "loss", "losses", "mAP@1", "learning_rate", "skipped_steps")
    return [{key: record[key] for key in keys} for record in records]


def _assert_same_run(run: Path, reference: Path) -> None:
    assert _metrics(run) == _metrics(reference)
    theirs = load_file(reference / "model.safetensors")
    for name, value in load_file(run / "model.safetensors").items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.fault("T03", "P24")
@pytest.mark.parametrize("step", [2, 4, 7])
def test_a_killed_run_is_resumed_to_the_same_bits(
    fitted: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patched:
        signal_in_step(patched, step, signal.SIGKILL)
        assert in_child(lambda: _run_finetune(tmp_path)) == -signal.SIGKILL
    (run,) = tmp_path.glob("e2e-*")
    assert read_json(run / "STATUS.json")["state"] == "running"
    assert in_child(lambda: _run_finetune(tmp_path)) == 0
    _assert_same_run(run, reference)


@pytest.mark.fault("T03", "T09", "P23", "P24")
def test_a_stopped_run_saves_the_current_step_and_is_resumed_to_the_same_bits(
    fitted: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        signal_in_step(patched, 2, signal.SIGTERM)
        assert in_child(lambda: _run_finetune(tmp_path)) == 75
    (run,) = tmp_path.glob("e2e-*")
    assert read_json(run / "STATUS.json")["code"] == 75
    assert [folder.name for folder in (run / "checkpoints").iterdir()] == ["00000003"]
    assert in_child(lambda: _run_finetune(tmp_path)) == 0
    _assert_same_run(run, reference)


@pytest.mark.fault("T09", "P23")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_during_validation_loses_no_step(
    fitted: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    with monkeypatch.context() as patched:
        real = Validation.score

        def score(self: Validation[...], *arguments: Any) -> float:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)  # as from a manager that signals both process and parent
            return real(self, *arguments)

        patched.setattr(Validation, "score", score)
        assert in_child(lambda: _run_finetune(tmp_path)) == code
    (run,) = tmp_path.glob("e2e-*")
    assert read_json(run / "STATUS.json") | {"reason": ""} == {"state": "stopped", "code": code, "reason": ""}
    assert max(folder.name for folder in (run / "checkpoints").iterdir()) == "00000004"
    assert in_child(lambda: _run_finetune(tmp_path)) == 0
    _assert_same_run(run, reference)


@pytest.mark.parametrize(
    ("steps", "sets"),
    [
        (20, ("finetune.samples=40",)),
        (
            4,
            (
                "finetune.samples=16",
                "finetune.batch=4",  # two clips per process and step
                "finetune.checkpointing=true",
                "finetune.freeze=encoder.blocks[:2]",
                "finetune.augment.mixup=0.2",
            ),
        ),
    ],
    ids=["plain", "accumulated, checkpointed, frozen and mixed"],
)
def test_two_processes_train_like_one(
    fitted: Path, tmp_path: Path, steps: int, sets: tuple[str, ...]
) -> None:
    sets = (*sets, "finetune.epochs=1", "finetune.augment.flip.p=0.5")
    assert in_child(lambda: _run_finetune(tmp_path / "one", *sets)) == 0
    children = start_two(lambda rank: _run_finetune(tmp_path / "two", *sets))
    assert [end_of(child) for child in children] == [0, 0]
    one, two = (_metrics(next((tmp_path / name).glob("e2e-*"))) for name in ("one", "two"))
    assert len(one[0]["losses"]) == steps
    assert two[0]["losses"] == pytest.approx(one[0]["losses"], rel=1e-5)
    assert two[0]["mAP@1"] == pytest.approx(one[0]["mAP@1"], abs=2e-3)


@pytest.mark.fault("T10")
@pytest.mark.parametrize("lost", [0, 1])
def test_when_one_of_two_processes_is_killed_the_other_ends_and_the_run_can_be_resumed(
    fitted: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    def work(rank: int) -> None:
        if rank == lost:
            signal_in_step(pytest.MonkeyPatch(), 5, signal.SIGKILL)
        _run_finetune(tmp_path)

    children = start_two(work)
    ends = [end_of(child) for child in children]
    assert ends[lost] == -signal.SIGKILL
    assert ends[1 - lost] == 70
    (run,) = tmp_path.glob("e2e-*")
    assert read_json(run / "STATUS.json")["state"] == "failed"
    assert read_json(run / "STATUS.json")["code"] == 70
    assert sorted(folder.name for folder in (run / "checkpoints").iterdir()) == ["00000003", "00000004"]
    assert in_child(lambda: _run_finetune(tmp_path)) == 0  # resumed by a single process
    assert read_json(run / "STATUS.json")["state"] == "done"
    losses = [loss for record in _metrics(run) for loss in record["losses"]]
    expected = [loss for record in _metrics(reference) for loss in record["losses"]]
    assert losses == pytest.approx(expected, rel=1e-4)


@pytest.mark.fault("T13")
def test_processes_with_different_settings_refuse_to_start(fitted: Path, tmp_path: Path) -> None:
    children = start_two(lambda rank: _run_finetune(tmp_path, f"finetune.seed={rank}"))
    assert [end_of(child) for child in children] == [78, 78]


@pytest.mark.fault("T11")
def test_a_batch_that_processes_cannot_share_evenly_is_refused(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    children = start_two(lambda rank: _run_finetune(tmp_path, "finetune.batch=3"))
    assert [end_of(child) for child in children] == [78, 78]


def test_the_stages_of_the_2023_winner_can_be_run_in_sequence(fitted: Path, tmp_path: Path) -> None:
    small = ("finetune.epochs=1", "finetune.samples=2", "finetune.chunk_rows=64", "head.blocks=1")
    sets = [
        *_FIT,
        "fit.epochs=1",
        "fit.samples=32",
        "fit.batch=8",
        "fit.flip=false",
        "head.blocks=1",
        "fit.warmup_epochs=0",
    ]
    run = fit(load("heads", head="lromul_basic", preset="tiny", sets=sets), _workspace(tmp_path))
    for stage in ("lromul_basic", "lromul_transfer", "lromul_long"):
        run = _run_finetune(tmp_path / stage, *small, preset=stage, run=run)
    model = bas.load_model(run)
    assert isinstance(model, Stacker)
    assert model.settings.head.kind == "blocks3d"
    assert len(model.head.offsets) == 11
    stages = [
        load_file(next((tmp_path / stage).glob("e2e-*")) / "model.safetensors")
        for stage in ("lromul_transfer", "lromul_long")
    ]
    before, after = ({k: v for k, v in stage.items() if k.startswith("encoder.")} for stage in stages)
    assert all(
        torch.equal(after[name], before[name]) for name in before
    )  # the long stage freezes the encoder


def test_every_command_takes_a_finetuned_model(fitted: Path, reference: Path) -> None:
    def bas_(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    sets = [part for setting in (*_FINETUNE, "finetune.epochs=1") for part in ("--set", setting)]
    bas_("finetune-e2e", "--preset", "tiny", *sets)
    (run,) = Path("runs").glob("e2e-*")
    assert "already finished" in bas_("finetune-e2e", "--preset", "tiny", *sets)
    assert "mAP@1" in bas_("eval")
    assert (run / "predictions/test/report.json").is_file()
    bas_("extract", "--encoder", str(run), "--split", "test", "--out", "tuned")
    (cache,) = Path("tuned").rglob("*.h5")
    features = bas.open_cache(cache)
    assert features.features.shape[1:] == (64, 1, 2)
    video = next(Path("data").rglob("*.mp4"))
    model = bas.load_model(run)
    assert isinstance(model, Stacker)
    assert bas.predict(video, model, features="tuned") is not None


def test_a_clip_shorter_than_the_window_is_refused_with_both_lengths(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"finetune\.clip_rows=12 is less than the 20 rows"):
        _run_finetune(tmp_path, "finetune.clip_rows=12")


def test_a_clip_longer_than_every_video_is_refused_with_both_lengths(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"40000 rows \(3200\.0 s\).* 188 \(15\.0 s\)"):
        _run_finetune(tmp_path, "finetune.clip_rows=40000")
    assert not list(tmp_path.iterdir())


def test_a_step_too_large_for_the_machine_is_refused_with_the_settings_that_lower_it(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert device_memory(torch.device("cpu")) > 1 << 28
    monkeypatch.setattr("bas.heads.finetune.preflight.device_memory", lambda device: 1 << 20)
    with pytest.raises(SettingsError, match=r"has 0\.0 GiB.*finetune\.chunk_rows \(now 64\)"):
        _run_finetune(tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_extraction_settings_than_those_of_the_model_are_refused(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"extract\.hop=2"):
        _run_finetune(tmp_path, "extract.hop=4")


def test_a_second_label_set_is_refused_with_the_setting_that_leaves_it_out(
    fitted: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"fit\.second_data=older.*'fit\.second_data=\"\"'"):
        _run_finetune(tmp_path, "fit.second_data=older")
    assert not load("finetune", sets=["fit.second_data=older", 'fit.second_data=""']).fit.second_data


def test_a_start_that_was_trained_on_the_validation_matches_is_refused(fitted: Path, tmp_path: Path) -> None:
    start = shutil.copytree(fitted, tmp_path / "start")
    config = json.loads((start / "config.json").read_text())
    config["learned"] += config["tuning"]["games"]
    (start / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match=r"was trained on .*validate the epochs.*: --run RUN"):
        _run_finetune(tmp_path / "runs", run=start)
    assert not (tmp_path / "runs").exists()


@pytest.mark.needs_cuda
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_sixteen_bits_train_on_a_gpu(
    fitted: Path, tmp_path: Path, cuda: torch.device, precision: str
) -> None:
    start = _fitted()
    settings = load(
        "finetune",
        base=load_settings(start),
        preset="tiny",
        sets=[*_FINETUNE, f"finetune.precision={precision}"],
    )
    run = finetune(start, settings, Workspace(Path("data"), Path("features"), tmp_path, str(cuda), "auto"))
    losses = [loss for record in _metrics(run) for loss in record["losses"]]
    assert len(losses) == 8
    assert all(0 < loss < 1 for loss in losses)
