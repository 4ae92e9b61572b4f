"""Temporary files: nobody can guess their names, and those of killed processes are removed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from support.killing import end_of, in_child, start_child

from bas.evaluate.submission.archive import write_submission
from bas.files import atomic_write, publish
from bas.temporary import remove_leftovers
from bas.types import Game


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _write_until_killed(path: Path) -> int:
    """Start a child that is in the middle of writing a file, and return its id."""
    before = set(path.parent.iterdir())
    child = start_child(lambda: publish(path, lambda descriptor: time.sleep(60), size=8))
    while not any(one.stat().st_size == 8 for one in set(path.parent.iterdir()) - before):
        time.sleep(0.005)
    return child


@pytest.mark.fault("S14")
def test_a_link_at_a_temporary_name_is_never_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "precious").write_text("keep")
    tokens = ["0" * 16, "1" * 16]
    monkeypatch.setattr("bas.temporary.secrets.token_hex", lambda size: tokens.pop(0))
    (tmp_path / f"t.json.tmp.{'0' * 16}").symlink_to("precious")
    with pytest.raises(Exception, match="File exists"):
        atomic_write(tmp_path / "t.json", b"new")
    assert (tmp_path / "precious").read_text() == "keep"
    atomic_write(tmp_path / "t.json", b"new")
    assert (tmp_path / "precious").read_text() == "keep"
    assert (tmp_path / "t.json").read_bytes() == b"new"


@pytest.mark.fault("S14")
def test_a_link_at_the_final_name_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep")
    (tmp_path / "t.json").symlink_to("precious")
    atomic_write(tmp_path / "t.json", b"new")
    assert (tmp_path / "precious").read_text() == "keep"
    assert not (tmp_path / "t.json").is_symlink()


@pytest.mark.fault("S14")
def test_a_temporary_name_is_different_each_time_and_says_nothing_of_the_process(tmp_path: Path) -> None:
    seen: set[str] = set()
    for _ in range(3):
        publish(tmp_path / "a", lambda descriptor: seen.update(_names(tmp_path)), size=1)
    assert len(seen - {"a"}) == 3
    assert not any(f".{os.getpid()}" in name for name in seen)


@pytest.mark.fault("C01")
def test_the_leftover_of_a_killed_process_is_removed_by_the_next_write_to_its_folder(tmp_path: Path) -> None:
    atomic_write(tmp_path / "first", b"1")
    child = _write_until_killed(tmp_path / "second")
    os.kill(child, signal.SIGKILL)
    end_of(child)
    assert len(_names(tmp_path)) == 2
    atomic_write(tmp_path / "third", b"3")
    assert _names(tmp_path) == ["first", "third"]


def test_the_temporary_file_of_a_running_process_stays(tmp_path: Path) -> None:
    child = _write_until_killed(tmp_path / "a")
    (temporary,) = tmp_path.iterdir()
    try:
        assert in_child(lambda: atomic_write(tmp_path / "b", b"")) == 0
        remove_leftovers(tmp_path)
        assert temporary.exists()
    finally:
        os.kill(child, signal.SIGKILL)
        end_of(child)


def test_files_of_the_user_are_no_leftovers(tmp_path: Path) -> None:
    for name in ("a.tmp", "a.tmp.b.c", "notes.tmp.0123456789abcdef.txt", ".tmp.0123456789abcdef"):
        (tmp_path / name).touch()
    (tmp_path / "a.tmp.0123456789abcdef").mkdir()
    before = _names(tmp_path)
    remove_leftovers(tmp_path)
    assert _names(tmp_path) == before


def test_a_folder_is_listed_once_by_a_process_that_writes_many_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[object] = []
    real = os.scandir

    def scandir(path: str) -> object:
        listed.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for number in range(50):
        atomic_write(tmp_path / str(number), b"")
    assert len(listed) == 1


def test_a_submission_killed_while_it_is_checked_leaves_nothing_after_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, documents = Game("a", (), None), {"a": b'{"UrlLocal": "a", "predictions": []}'}

    def die(*arguments: object, **options: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr("bas.evaluate.submission.archive.check_submission", die)
        code = in_child(lambda: write_submission(tmp_path / "s.zip", documents, [game], ["PASS"]))
    assert code == -signal.SIGKILL
    assert len(_names(tmp_path)) == 1
    write_submission(tmp_path / "s.zip", documents, [game], ["PASS"])
    assert _names(tmp_path) == ["s.zip"]
