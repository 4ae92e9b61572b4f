"""Exceptions for errors that a user can fix, each with an exit code.

A message has four parts: the problem and its place, the value found, the value expected, and the remedy.
Any other exception is a bug and keeps its traceback. Exit codes from 65 on have the meaning of sysexits.h, which
job managers know.
"""

from __future__ import annotations


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
