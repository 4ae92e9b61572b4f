"""Exceptions for errors that a user can fix, each with an exit code.

A message has four parts: the problem and its place, the value found, the value expected, and the remedy.
Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations


class BasError(Exception):
    """Base class of errors that a user can fix; the command line exits with `exit_code`."""

    exit_code = 1


class PartialError(BasError):
    """The run finished, but skipped some items or left them incomplete."""

    exit_code = 3


class DataError(BasError):
    """A video, label, prediction or cache file is invalid."""

    exit_code = 65


class MissingError(BasError):
    """A requested file, folder or split does not exist."""

    exit_code = 66


class UnavailableError(BasError):
    """A device, codec or dependency is missing on this machine."""

    exit_code = 69


class RunFailedError(BasError):
    """A run cannot continue: it diverged, or memory ran out."""

    exit_code = 70


class LockedError(BasError):
    """Another process is writing to the same output."""

    exit_code = 73


class OutputError(BasError):
    """An output cannot be written: the disk is full or failed, or another file is in the way."""

    exit_code = 74


class StoppedError(BasError):
    """A signal stopped the run; the same command continues it."""

    exit_code = 75


class AccessError(BasError):
    """This account or password has no access."""

    exit_code = 77


class SettingsError(BasError):
    """A preset, setting or option is invalid."""

    exit_code = 78
