"""Atomic and durable writes, locks, and strict JSON.

A file is written under a temporary name in its own folder, flushed to disk and renamed, and then the
folder is flushed. Neither a kill nor a full disk can leave a partial file under the final name.
Published files are never changed in place.
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
    """Write a small file atomically and durably."""
    publish(path, lambda descriptor: write_at(descriptor, content, 0), size=len(content))


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON document atomically; NaN and infinity are refused."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_write(path, text.encode() + b"\n")


def publish(path: Path, fill: Callable[[int], None], *, size: int) -> None:
    """Write a file of `size` bytes through `fill(descriptor)`, then publish it under `path`.

    Raises:
        OutputError: the disk is full or failed; no partial file remains, and an older file at `path`
            is untouched.
    """
    temporary = path.with_name(f"{path.name}.tmp.{socket.gethostname()}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            if size:  # a full disk is found before the work of filling the file
                os.posix_fallocate(descriptor, 0, size)
            fill(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error, size=size) from error
    finally:
        with contextlib.suppress(OSError):  # published under its final name, or never made
            temporary.unlink()


def write_at(descriptor: int, content: bytes | memoryview, offset: int) -> None:
    """Write all of `content` at `offset`; on a disk that fills up, a single write may be short without an error."""
    view = memoryview(content).cast("B")
    while view:
        written = os.pwrite(descriptor, view[:_BLOCK_BYTES], offset)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view, offset = view[written:], offset + written


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def output_error(path: Path, error: OSError, *, size: int) -> OutputError:
    """Error for a file that could not be written, with the free space; `size` 0 means unknown."""
    free = "an unknown number of"
    with contextlib.suppress(OSError):
        folder = next(p for p in path.absolute().parents if p.exists())
        free = f"{shutil.disk_usage(folder).free:,}"
    needs = (
        f"It needs {size:,} bytes; {free} are free" if size else f"{free[0].upper()}{free[1:]} bytes are free"
    )
    return OutputError(
        f"Cannot write {path}: {error.strerror or error}. {needs}. Free some space or choose another folder, then run "
        "the same command again; finished work is kept."
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex; takes about 3 s for 5 GB."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel releases it however the process ends.

    Raises:
        LockedError: another process holds it and `wait` is false.
        OutputError: the lock file cannot be created.
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
                "Wait until it ends, or choose another folder."
            ) from error
        yield
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files of killed processes. The caller must hold the folder's lock."""
    for path in folder.glob("*.tmp.*.*"):
        path.unlink(missing_ok=True)


def read_json(path: Path, *, limit_bytes: int = 64 << 20) -> Any:
    """Read a JSON document strictly: UTF-8 without a byte order mark, no duplicate keys, no NaN.

    Raises:
        MissingError: the file does not exist or cannot be read.
        DataError: it is too large, truncated, or not strict JSON.
    """
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise DataError(f"{path} is too large: {size:,} bytes. Expected at most {limit_bytes:,}.")
        return parse_json(path.read_bytes(), source=str(path))
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist.") from error
    except PermissionError as error:
        raise MissingError(f"Cannot read {path}: {error.strerror}.") from error


def parse_json(content: bytes, *, source: str) -> Any:
    """Parse JSON as strictly as `read_json`; error messages name `source` as the origin."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"duplicate key {twice!r} in one object")
        return dict(pairs)

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not valid JSON")

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"Invalid JSON in {source}: {error}. Restore the file from its source.") from error
