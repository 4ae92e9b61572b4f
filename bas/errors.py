"""Exceptions for errors that a user can fix, each with an exit code.

A message has four parts: the problem and its place, the value found, the value expected, and the remedy.
Any other exception is a bug and keeps its traceback. Exit codes from 65 on have the meaning of sysexits.h, which
job managers know.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_IN_THE_WAY = {errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENAMETOOLONG}
_MEMORY_WORDS = ("out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED")


class BasError(Exception):
    """Base class of errors that a user can fix; the command line exits with `exit_code`."""

    exit_code = 1

    def __init_subclass__(cls, *, exit_code: int) -> None:
        cls.exit_code = exit_code


class PartialError(BasError, exit_code=3):
    """The run finished, but skipped some items or left them incomplete."""


class DataError(BasError, exit_code=65):
    """A video, label, prediction or cache file is invalid."""


class MissingError(BasError, exit_code=66):
    """A requested file, folder or split does not exist."""


class UnavailableError(BasError, exit_code=69):
    """A device, codec or dependency is missing on this machine."""


class RunFailedError(BasError, exit_code=70):
    """A run cannot continue: it diverged, or memory ran out."""


class LockedError(BasError, exit_code=73):
    """Another process is writing to the same output."""


class OutputError(BasError, exit_code=74):
    """An output cannot be written: the disk is full or failed, or another file is in the way."""


class StoppedError(BasError, exit_code=75):
    """A signal stopped the run; the same command continues it."""


class AccessError(BasError, exit_code=77):
    """This account or password has no access."""


class SettingsError(BasError, exit_code=78):
    """A preset, setting or option is invalid."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of Python, NumPy, torch or the system says that memory ran out."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    # torch has a class of its own on the GPU, but on the CPU and in cuBLAS only words; it need not be imported here.
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or any(words in str(error) for words in _MEMORY_WORDS)
    )


@contextlib.contextmanager
def memory_advice(advice: str) -> Iterator[None]:
    """Add advice to the error if memory runs out while the block runs.

    Raises:
        RunFailedError: memory ran out.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise RunFailedError(f"Out of memory. {advice}") from error


def explained(error: BaseException) -> BasError | None:
    """The error behind an exception that the machine caused, or the exception itself if it is one; None for a bug."""
    if isinstance(error, BasError):
        return error
    if is_out_of_memory(error):
        return RunFailedError(
            f"Out of memory: {error or 'the system has none left'}. Close other programs, or use a machine or a "
            "job with more memory; finished work is kept."
        )
    return _explained_by_system(error) if isinstance(error, OSError) and error.errno else None


def _explained_by_system(error: OSError) -> BasError:
    assert error.errno is not None
    problem = f"{error.filename or 'A file'}: {os.strerror(error.errno)}."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return RunFailedError(
            f"{problem} Allow more open files with `ulimit -n 4096`, and run the command again."
        )
    if error.errno in _NO_SPACE | _IN_THE_WAY:
        return OutputError(
            f"Cannot write {problem} Free some space or choose another folder, then run it again."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return MissingError(f"Cannot access {problem} Check its permissions.")
    return MissingError(f"Cannot read {problem} Check the disk or the network, and run the command again.")
