"""Folders on file systems that refuse locks: still one process at a time, and free again after a kill."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

import pytest
from support.killing import end_of, in_child, start_child

from bas.errors import LockedError, OutputError
from bas.files import locked

_ENOTSUPP = 524  # of the Linux kernel, without a name in user space; some file systems let it out


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO, errno.ENOSYS, _ENOTSUPP])
def refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every lock fail with one of the codes that file systems answer."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


def _hold(path: Path) -> None:
    with locked(path, wait=False):
        path.with_name("held").touch()
        time.sleep(60)


def _held_in_child(path: Path) -> int:
    child = start_child(lambda: _hold(path))
    while not path.with_name("held").exists():
        time.sleep(0.005)
    return child


@pytest.mark.fault("C05")
@pytest.mark.usefixtures("refused")
def test_without_locks_a_folder_is_still_used_by_one_process_at_a_time(tmp_path: Path) -> None:
    child = _held_in_child(tmp_path / "lock")
    with pytest.raises(LockedError, match=rf"in use by process {child} on .*delete .*lock\.lease"):
        _hold(tmp_path / "lock")
    os.kill(child, signal.SIGKILL)
    end_of(child)
    with locked(
        tmp_path / "lock", wait=False
    ):  # the kernel released nothing: the lease of a dead process is broken
        assert in_child(lambda: _hold(tmp_path / "lock")) == LockedError.exit_code
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "held"}


@pytest.mark.parametrize("refused", [errno.ENOLCK], indirect=True)
@pytest.mark.usefixtures("refused")
def test_a_process_waits_for_the_lease_of_another(tmp_path: Path) -> None:
    child = _held_in_child(tmp_path / "lock")
    waiting = start_child(lambda: _wait(tmp_path / "lock"))
    time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    end_of(child)
    assert end_of(waiting) == 0


def _wait(path: Path) -> None:
    with locked(path, wait=True):
        pass


@pytest.mark.parametrize("refused", [errno.ENOLCK], indirect=True)
@pytest.mark.usefixtures("refused")
def test_the_lease_of_another_machine_is_never_broken(tmp_path: Path) -> None:
    (tmp_path / "lock.lease").symlink_to("other-machine:1")
    with pytest.raises(LockedError, match="in use by process 1 on other-machine.*If that process was killed"):
        _hold(tmp_path / "lock")
    assert (tmp_path / "lock.lease").is_symlink()


@pytest.mark.parametrize("refused", [errno.ENOLCK], indirect=True)
@pytest.mark.usefixtures("refused")
def test_a_file_system_without_locks_and_links_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.raises(OutputError, match="refuses locks and links"):
        _hold(tmp_path / "lock")
