"""The few ways a final file may come to be: whole and durable, or not at all.

A file is written under a temporary name in its own folder, flushed to the disk, renamed, and
the folder flushed too, so that neither a kill nor a full disk leaves half a file under a final
name. Published files are never changed in place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bas.errors import DataError, LockedError, MissingError, OutputError

_BLOCK_BYTES = 1 << 22


def atomic_write(path: Path, content: bytes) -> None:
    """Write a small file, whole and durable."""
    publish(path, lambda descriptor: write_at(descriptor, content, 0), size=len(content))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, indented; NaN and infinity are refused."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_write(path, text.encode() + b"\n")


def publish(path: Path, fill: Callable[[int], None], *, size: int) -> None:
    """Write a file of `size` bytes piece by piece through `fill(descriptor)`, then name it `path`.

    Raises:
        OutputError: the disk is full or failed; nothing is left behind, and an older file of
            that name is untouched.
    """
    temporary = path.with_name(f"{path.name}.tmp.{socket.gethostname()}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            if size:
                os.posix_fallocate(descriptor, 0, size)
            fill(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(path, error, size=size) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_at(descriptor: int, content: bytes | memoryview, offset: int) -> None:
    """Write all of `content` at `offset`; a filling disk takes less than it is given, silently."""
    view = memoryview(content).cast("B")
    while view:
        written = os.pwrite(descriptor, view[:_BLOCK_BYTES], offset)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view, offset = view[written:], offset + written


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def output_error(path: Path, error: OSError, *, size: int) -> OutputError:
    """What to tell a user whose disk did not take a file; of an unknown size if that is 0."""
    free = "an unknown number of"
    with contextlib.suppress(OSError):
        folder = next(p for p in path.absolute().parents if p.exists())
        free = f"{shutil.disk_usage(folder).free:,}"
    needs = f"It needs {size:,} bytes and {free} are free" if size else f"There are {free} bytes free"
    return OutputError(
        f"{path} could not be written: {error.strerror or error}. {needs}. Make room there (or choose another folder) and run the same command again; "
        "finished work is kept."
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a whole file, in hex; about 3 s for 5 GB."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel frees it however the process ends.

    Raises:
        LockedError: another process holds it and `wait` is false.
        OutputError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise output_error(path, error, size=0) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise LockedError(
                f"{path.parent} is in use: another process holds {path.name}. "
                "Wait for it to end, or choose another folder."
            ) from error
        yield
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of killed processes; only the holder of the folder's lock may."""
    for path in folder.glob("*.tmp.*.*"):
        path.unlink(missing_ok=True)


def read_json(path: Path, *, limit_bytes: int = 64 << 20) -> Any:
    """Read a JSON document strictly: UTF-8 without mark, no duplicate keys, no NaN.

    Raises:
        MissingError: there is no such file, or it may not be read.
        DataError: it is too large, cut, or not strict JSON.
    """
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise DataError(f"{path} has {size:,} bytes, more than the {limit_bytes:,} of any real document.")
        return parse_json(path.read_bytes(), source=str(path))
    except FileNotFoundError as error:
        raise MissingError(f"{path} is not there.") from error
    except PermissionError as error:
        raise MissingError(f"{path} may not be read: {error.strerror}.") from error


def parse_json(content: bytes, *, source: str) -> Any:
    """`read_json` for bytes at hand; `source` names them in messages."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"the key {twice!r} stands twice in one object")
        return dict(pairs)

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is not strict JSON: {error}. Restore the file from its source.") from error
