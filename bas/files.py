"""Atomic and durable writes, locks, and strict JSON.

A file is written under a temporary name in its own folder, flushed to disk and renamed, and then the
folder is flushed. Neither a kill nor a full disk can leave a partial file under the final name.
Published files are never changed in place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from bas.errors import BasError, DataError, LockedError, MissingError, OutputError
from bas.leases import leased
from bas.temporary import temporary_file

_P = ParamSpec("_P")
_T = TypeVar("_T")

_BLOCK_BYTES = 1 << 22
_SAMPLES, _SAMPLE_BYTES = 32, 1 << 14
_MAX_JSON_OBJECTS, _MAX_JSON_VALUES = 2_000_000, 10_000_000


def atomic_write(path: Path, content: bytes) -> None:
    """Write a small file atomically and durably."""
    publish(path, lambda descriptor: write_at(descriptor, content, 0), size=len(content))


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON document atomically; NaN and infinity are refused."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_write(path, text.encode() + b"\n")


def publish(
    path: Path, fill: Callable[[int], None], *, size: int, check: Callable[[Path], None] | None = None
) -> None:
    """Write a file of `size` bytes through `fill(descriptor)`, then publish it under `path`.

    Args:
        path: final path; an older file there is replaced.
        fill: writes the content.
        size: bytes to reserve; 0 if unknown.
        check: called with the path of the complete, unpublished file; may raise to discard it.

    Raises:
        OutputError: the disk is full or failed; no partial file remains, and an older file at `path`
            is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path) as (descriptor, temporary):
            if size:  # a full disk is found before the work of filling the file
                os.posix_fallocate(descriptor, 0, size)
            fill(descriptor)
            os.fsync(descriptor)
            if check is not None:
                check(temporary)
            temporary.replace(path)
            sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error, size=size) from error


def write_at(descriptor: int, content: bytes | memoryview, offset: int) -> None:
    """Write all of `content` at `offset`; on a disk that fills up, a single write may be short without an error."""
    view = memoryview(content).cast("B")
    while view:
        written = os.pwrite(descriptor, view[:_BLOCK_BYTES], offset)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view, offset = view[written:], offset + written


def reopens(read: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a function that opens and reads a file: it is called once more if the first call meets ESTALE.

    A network file system answers so where another machine has replaced the file. Its name then leads to the new one.
    """

    @functools.wraps(read)
    def read_again(*arguments: _P.args, **named: _P.kwargs) -> _T:
        try:
            return read(*arguments, **named)
        except (OSError, BasError) as error:
            if not _is_stale(error) and not _is_stale(error.__cause__):
                raise
        return read(*arguments, **named)

    return read_again


def _is_stale(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ESTALE


@reopens
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


@reopens
def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex; takes about 3 s for 5 GB."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@reopens
def sample_of(path: Path) -> str:
    """SHA-256 in hex of the size and of 32 blocks spread over a file, which tells files apart in milliseconds."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        digest, last = hashlib.sha256(str(size).encode()), max(0, size - _SAMPLE_BYTES)
        for number in range(_SAMPLES):
            offset = number * last // (_SAMPLES - 1)
            digest.update(os.pread(stream.fileno(), _SAMPLE_BYTES, offset))
        return digest.hexdigest()


@reopens
def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, never a pipe or a device: reading one could block, or never end.

    Raises:
        OSError: the file does not exist or cannot be read.
        DataError: it is a folder, a pipe or a device.
    """
    # Opening a pipe would already block until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(f"{path} is {_kind(mode)}. Expected a regular file.")
    return os.fdopen(descriptor, "rb")


@reopens
def read_file(path: Path, *, limit_bytes: int) -> bytes:
    """Content of a regular file. Raises as `open_regular`, and DataError if the file is too large."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit_bytes:
            raise DataError(f"{path} is too large: {size:,} bytes. Expected at most {limit_bytes:,}.")
        return stream.read(limit_bytes)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a named pipe" if stat.S_ISFIFO(mode) else "a device or socket"


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel releases it however the process ends.

    A file system that refuses locks gets a lease instead, beside `path`.

    Raises:
        LockedError: another process holds it and `wait` is false.
        OutputError: the lock file cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = reopens(os.open)(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise output_error(path, error, size=0) from error
    try:
        with _held(descriptor, path, wait=wait):
            yield
    finally:
        os.close(descriptor)


def _held(descriptor: int, path: Path, *, wait: bool) -> contextlib.AbstractContextManager[None]:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        raise LockedError(
            f"{path.parent} is in use: another process holds {path.name}. "
            "Wait until it ends, or choose another folder."
        ) from error
    except OSError:  # NFS without its lock service, Lustre without -o flock: no process can lock here
        return leased(path.with_name(f"{path.name}.lease"), wait=wait)
    return contextlib.nullcontext()


def read_json(path: Path, *, limit_bytes: int = 64 << 20) -> Any:
    """Read a JSON document strictly: UTF-8, with or without a byte order mark, no duplicate keys, no NaN.

    Raises:
        MissingError: the file does not exist or cannot be read.
        DataError: it is too large, truncated, or not strict JSON.
    """
    try:
        return parse_json(read_file(path, limit_bytes=limit_bytes), source=str(path))
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist.") from error
    except PermissionError as error:
        raise MissingError(f"Cannot read {path}: {error.strerror}.") from error


def require_modest(content: bytes, *, source: str) -> None:
    """Refuse JSON whose values would take far more memory than its text, such as millions of empty lists.

    Raises:
        DataError: it has more values than any document of a data set.
    """
    objects, values = content.count(b"[") + content.count(b"{"), content.count(b",")
    if objects > _MAX_JSON_OBJECTS or values > _MAX_JSON_VALUES:
        raise DataError(
            f"{source} holds {objects:,} objects and lists with {values:,} values. Expected at most "
            f"{_MAX_JSON_OBJECTS:,} with {_MAX_JSON_VALUES:,}. Is it the right file?"
        )


def parse_json(content: bytes, *, source: str) -> Any:
    """Parse JSON as strictly as `read_json`; error messages name `source` as the origin."""
    require_modest(content, source=source)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"duplicate key {twice!r} in one object")
        return dict(pairs)

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not valid JSON")

    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"Invalid JSON in {source}: {error}. Restore the file from its source.") from error
