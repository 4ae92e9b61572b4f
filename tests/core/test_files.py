"""Atomic writes, locks and strict JSON."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from support.killing import in_child

from bas.errors import DataError, LockedError, MissingError, OutputError
from bas.files import atomic_write, locked, parse_json, publish, read_json, write_at, write_json

_CALLS = ("open", "posix_fallocate", "pwrite", "fsync", "replace")


def _break(call: str, nth: int, kind: str) -> None:
    """Make the `nth` call of an os function kill the process, write only a part, or fail."""
    real: Any = getattr(os, call)
    used = 0

    def broken(*arguments: Any, **named: Any) -> Any:
        nonlocal used
        used += 1
        if used != nth:
            return real(*arguments, **named)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "torn":
            if call == "pwrite":
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2], arguments[2])
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "short" and call == "pwrite":
            return real(arguments[0], bytes(arguments[1])[:3], arguments[2])
        raise OSError(getattr(errno, kind.upper(), errno.EIO), "injected")

    setattr(os, call, broken)


@pytest.mark.fault("C01", "C02")
@pytest.mark.parametrize("kind", ["kill", "torn", "enospc", "eio"])
@pytest.mark.parametrize("call", _CALLS)
@pytest.mark.parametrize("nth", [1, 2])
def test_any_failure_leaves_the_old_or_the_new_file_intact(
    tmp_path: Path, call: str, nth: int, kind: str
) -> None:
    path = tmp_path / "deep" / "report.json"
    atomic_write(path, b"old" * 1000)

    def work() -> None:
        _break(call, nth, kind)
        atomic_write(path, b"new" * 2000)

    status = in_child(work)
    assert path.read_bytes() in (b"old" * 1000, b"new" * 2000)
    if status == 0:
        assert path.read_bytes() == b"new" * 2000
    elif kind in ("kill", "torn"):
        assert status == -signal.SIGKILL
    else:
        assert status == 74
        assert [p.name for p in path.parent.iterdir()] == ["report.json"]


@pytest.mark.fault("C02")
def test_a_short_write_is_continued(tmp_path: Path) -> None:
    def work() -> None:
        _break("pwrite", 1, "short")
        atomic_write(tmp_path / "a", b"0123456789")

    assert in_child(work) == 0
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.fault("C02")
def test_a_full_disk_is_reported_with_the_bytes_needed_and_free(tmp_path: Path) -> None:
    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(OutputError, match=r"needs 5,000 bytes; [\d,]+ are free.*run the same command"):
            atomic_write(tmp_path / "a", bytes(5000))

    assert in_child(work) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(OutputError, match="Cannot write .*: Not a directory"):
        atomic_write(tmp_path / "runs" / "a" / "report.json", b"{}")


def test_an_error_while_filling_leaves_no_file(tmp_path: Path) -> None:
    def fill(descriptor: int) -> None:
        write_at(descriptor, b"half", 0)
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        publish(tmp_path / "a", fill, size=8)
    assert list(tmp_path.iterdir()) == []


def _hold(path: Path, held: Any, release: Any) -> None:
    with locked(path, wait=False):
        held.set()
        release.wait()


@pytest.mark.fault("C04")
def test_a_lock_is_exclusive_and_is_released_by_kill_9(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "lock", held, release))
    holder.start()
    held.wait()
    with (
        pytest.raises(LockedError, match="another process holds lock") as caught,
        locked(tmp_path / "lock", wait=False),
    ):
        pass
    assert caught.value.exit_code == 73
    holder.kill()
    holder.join()
    with locked(tmp_path / "lock", wait=False):
        pass


@pytest.mark.fault("L10")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1, "a": 2}', "duplicate key 'a'"),
        (b'{"a": NaN}', "NaN is not valid JSON"),
        (b'{"a": -Infinity}', "-Infinity is not valid JSON"),
        (b'{"a": [1, 2', "Invalid JSON in"),
        (b"\xff\xfe", "utf-8"),
        (b"[" * 100_000, "Invalid JSON in"),
    ],
)
def test_json_is_read_strictly(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        parse_json(content, source="labels.json")


@pytest.mark.fault("L10")
def test_a_huge_json_file_is_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(DataError, match="1,073,741,824 bytes"):
        read_json(huge)


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="gone.json"):
        read_json(tmp_path / "gone.json")


@pytest.mark.fault("L11")
def test_json_is_never_written_with_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault("C12")
def test_a_file_that_another_machine_replaced_is_opened_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "a.json", 7)
    stale = ["once"]
    real = os.open

    def open_stale(path: Any, *arguments: Any, **options: Any) -> int:
        if path == tmp_path / "a.json" and stale:
            stale.remove("once")
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_stale)
    assert read_json(tmp_path / "a.json") == 7
    assert stale == []
    stale = ["once"] * 99
    with pytest.raises(OSError, match="Stale file handle"):
        read_json(tmp_path / "a.json")
