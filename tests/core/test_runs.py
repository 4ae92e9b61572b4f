"""Run folders survive kills and damage."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bas.errors import DataError, LockedError, MissingError, StoppedError
from bas.runs import Checkpoint, Run, history_of, newest_finished, open_run, run_state


def _checkpoint(epoch: int) -> Checkpoint:
    torch.manual_seed(epoch)
    return Checkpoint(
        epoch,
        model={"weight": torch.randn(3, 4)},
        training={"step": epoch * 10, "moments": [torch.randn(2)]},
        history=[{"epoch": e, "mAP": 0.1 * e} for e in range(1, epoch + 1)],
    )


def _assert_same(found: Checkpoint | None, wanted: Checkpoint) -> None:
    assert found is not None
    assert found.number == wanted.number
    assert torch.equal(found.model["weight"], wanted.model["weight"])
    assert torch.equal(found.training["moments"][0], wanted.training["moments"][0])
    assert list(found.history) == list(wanted.history)


def test_a_checkpoint_survives_a_round_trip(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.newest() is None
    run.save(_checkpoint(1), best=1)
    _assert_same(run.newest(), _checkpoint(1))
    assert (tmp_path / "metrics.jsonl").read_text() == '{"epoch": 1, "mAP": 0.1}\n'


def test_the_last_three_and_the_best_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for epoch in range(1, 8):
        run.save(_checkpoint(epoch), best=min(epoch, 2))
    kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert kept == ["00000002", "00000005", "00000006", "00000007"]


@pytest.mark.fault("T02")
@pytest.mark.parametrize("name", ["model.safetensors", "training.pt", "history.json", "MANIFEST.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_skipped(
    tmp_path: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path)
    run.save(_checkpoint(1), best=1)
    run.save(_checkpoint(2), best=1)
    file = tmp_path / "checkpoints" / "00000002" / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    match damage:
        case "flip":
            file.write_bytes(content)
        case "cut":
            file.write_bytes(content[: len(content) // 2])
        case _:
            file.unlink()
    _assert_same(run.newest(), _checkpoint(1))
    assert "00000002" in capsys.readouterr().err


@pytest.mark.fault("T02")
def test_all_checkpoints_damaged_is_an_error_and_no_silent_start(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for epoch in (1, 2):
        run.save(_checkpoint(epoch), best=1)
        (tmp_path / "checkpoints" / f"{epoch:08d}" / "training.pt").write_bytes(b"")
    with pytest.raises(DataError, match=f"00000001: .*To start over, delete {tmp_path}") as caught:
        run.newest()
    assert caught.value.exit_code == 65


@pytest.mark.fault("T02")
@pytest.mark.parametrize("content", [b"[]", b"null", b"{}", b'{"training.pt": 1}', b"7", b"{", b""])
@pytest.mark.parametrize("name", ["MANIFEST.json", "history.json", "training.pt", "model.safetensors"])
def test_a_file_of_another_shape_makes_a_checkpoint_damaged_even_with_its_hash(
    tmp_path: Path, name: str, content: bytes
) -> None:
    run = Run(tmp_path)
    run.save(_checkpoint(1), best=1)
    folder = tmp_path / "checkpoints" / "00000001"
    _replace_with_hash(folder, name, content)
    if (name, content) == ("history.json", b"[]"):  # the history of a run without a finished epoch
        assert run.load(1).history == []
        return
    with pytest.raises(DataError, match="Damaged checkpoint .*00000001: .*To start over, delete"):
        run.load(1)


@pytest.mark.fault("S01", "P28")
def test_code_in_the_training_state_is_refused_and_not_executed(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    run = Run(tmp_path)
    run.save(_checkpoint(1), best=1)
    torch.save({"step": Attack()}, tmp_path / "attack.pt")
    _replace_with_hash(
        tmp_path / "checkpoints" / "00000001", "training.pt", (tmp_path / "attack.pt").read_bytes()
    )
    with pytest.raises(DataError, match="Damaged checkpoint"):
        run.load(1)
    assert not (tmp_path / "executed").exists()


def _replace_with_hash(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    if name != "MANIFEST.json":
        hashes = json.loads((folder / "MANIFEST.json").read_text())
        hashes[name] = hashlib.sha256(content).hexdigest()
        (folder / "MANIFEST.json").write_text(json.dumps(hashes))


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"state": 3}', '{"state": "asleep"}', "{", ""])
def test_a_damaged_status_is_named_and_hides_no_other_run(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_run(tmp_path / "good", settings_yaml="") as run:
        run.set_state("done")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "STATUS.json").write_text(text)
    (tmp_path / "a stray file").touch()
    with pytest.raises(DataError, match="bad/STATUS.json"):
        run_state(tmp_path / "bad")
    assert newest_finished(tmp_path) == tmp_path / "good"
    assert "bad/STATUS.json" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[]", "null", "{}", "7", "{", "\xff"])
def test_damaged_metrics_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(DataError, match="metrics.jsonl"):
        history_of(tmp_path)


@pytest.mark.fault("T01", "P22")
@pytest.mark.parametrize("number", [5, 4])
def test_kill_9_at_any_file_operation_of_a_save_leaves_an_intact_checkpoint(
    tmp_path: Path, number: int
) -> None:
    """Covers both a new checkpoint and one that replaces the newest."""
    operations = ("open", "pwrite", "fsync", "replace", "rename", "unlink", "rmdir")
    for epoch in range(1, 5):
        Run(tmp_path / "before").save(_checkpoint(epoch), best=1)
    survived = 0
    for nth in range(1, 200):
        folder = shutil.copytree(tmp_path / "before", tmp_path / str(nth))
        run = Run(folder)
        child = os.fork()
        if child == 0:
            _kill_at(operations, nth)
            run.save(_checkpoint(number), best=1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        run.clean_up()
        newest = run.newest()
        assert newest is not None
        _assert_same(newest, _checkpoint(newest.number))
        assert newest.number in (4, 5)
        assert all(folder.name.isdecimal() for folder in (folder / "checkpoints").iterdir())
        _assert_same(run.load(1), _checkpoint(1))
        run.save(_checkpoint(5), best=1)  # the next start goes on
        if status == 0:
            break
        assert status == -signal.SIGKILL
        survived += 1
    assert survived > 20


def _kill_at(names: tuple[str, ...], nth: int) -> None:
    used = 0

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal used
            used += 1
            if used == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return call

    for name in names:
        setattr(os, name, deadly(getattr(os, name)))


def test_a_run_records_how_it_ended(tmp_path: Path) -> None:
    with open_run(tmp_path / "a", settings_yaml="fit: {}\n") as run:
        assert run_state(tmp_path / "a") == "running"
        run.set_state("done")
    assert run_state(tmp_path / "a") == "done"
    with pytest.raises(StoppedError), open_run(tmp_path / "b", settings_yaml=""):
        raise StoppedError("asked")
    assert run_state(tmp_path / "b") == "stopped"
    with pytest.raises(ZeroDivisionError), open_run(tmp_path / "c", settings_yaml=""):
        print(1 / 0)
    assert run_state(tmp_path / "c") == "failed"
    assert newest_finished(tmp_path) == tmp_path / "a"


@pytest.mark.fault("T15")
def test_two_processes_never_share_a_run(tmp_path: Path) -> None:
    with (
        open_run(tmp_path, settings_yaml=""),
        pytest.raises(LockedError, match="another process"),
        open_run(tmp_path, settings_yaml=""),
    ):
        pass


def test_the_error_without_a_finished_run_gives_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="bas fit-head netvlad"):
        newest_finished(tmp_path)
