"""Leases: locks for file systems that refuse `flock`.

A lease is a symbolic link to the name of its holder, because a link is created with its content in one
step. The kernel does not release it after a kill. On the machine of its holder a lease without a living
process is therefore broken; on another machine nobody can tell, and the message names the file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from bas.errors import LockedError, OutputError

_POLL_SECONDS = 0.5


@contextlib.contextmanager
def leased(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lease `path` while the block runs.

    Raises:
        LockedError: another process holds it and `wait` is false.
        OutputError: the folder takes no links.
    """
    while not _created(path):
        holder = _holder(path)
        if holder is not None and not _is_alive(holder):
            _break(path, holder)
        elif holder is not None:
            if not wait:
                host, _, process = holder.rpartition(":")
                raise LockedError(
                    f"{path.parent} is in use by process {process} on {host}. Wait until it ends, or choose another "
                    f"folder. If that process was killed, delete {path}."
                )
            time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _created(path: Path) -> bool:
    try:
        path.symlink_to(f"{socket.gethostname()}:{os.getpid()}")
    except FileExistsError:
        return False
    except OSError as error:
        raise OutputError(
            f"Cannot lock {path.parent}: its file system refuses locks and links ({error.strerror}). Choose a folder "
            "on another file system."
        ) from error
    return True


def _holder(path: Path) -> str | None:
    """Host and process that hold the lease; None if it has just been released."""
    with contextlib.suppress(FileNotFoundError):
        return str(path.readlink())
    return None


def _is_alive(holder: str) -> bool:
    host, _, process = holder.rpartition(":")
    if host != socket.gethostname() or not process.isdecimal():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def _break(path: Path, holder: str) -> None:
    """Remove the lease of a process that has ended; of several processes that try, one succeeds."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with contextlib.suppress(OSError):  # another process was faster
        path.rename(aside)
        if _holder(aside) != holder:  # it was faster by far, and holds the lease already
            aside.rename(path)
            return
        aside.unlink()
