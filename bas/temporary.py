"""Temporary files, and the removal of those that killed processes left.

Their names cannot be guessed, so nobody can place a link there. Each is locked while it is written: one that is
not locked is the leftover of a killed process, and whoever writes to the folder next deletes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

_LEFTOVER = re.compile(r".+\.tmp\.[0-9a-f]{16}")
_swept: dict[Path, int] = {}
"""Folders without leftovers, with their time of change: a folder that only this process writes to is listed once."""


@contextlib.contextmanager
def temporary_file(path: Path) -> Iterator[tuple[int, Path]]:
    """A new, empty file beside `path`, open and locked; it is removed at the end unless it was renamed."""
    folder = path.parent
    if _swept.get(folder) != folder.stat().st_mtime_ns:
        remove_leftovers(folder)
    while True:
        temporary = path.with_name(f"{path.name}.tmp.{secrets.token_hex(8)}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o666)
        try:
            # Another process may take the file for a leftover until it is locked; then it gets a new name.
            if not _lock_at_once(descriptor) or not os.fstat(descriptor).st_nlink:
                continue
            yield descriptor, temporary
            return
        finally:
            os.close(descriptor)
            with contextlib.suppress(OSError):  # published under its final name
                temporary.unlink()
            with contextlib.suppress(OSError):
                _swept[folder] = folder.stat().st_mtime_ns


def _lock_at_once(descriptor: int) -> bool:
    """Lock an open file; false if another process has. Without locks on the file system, nobody removes it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of killed processes; those of running processes are locked and stay."""
    with contextlib.suppress(OSError):  # the folder may not exist yet, or another process is faster
        for entry in os.scandir(folder):
            if _LEFTOVER.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_unlocked(Path(entry.path))


def _remove_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:  # in use, or on a file system without locks, where nobody can tell
        return
    finally:
        os.close(descriptor)
