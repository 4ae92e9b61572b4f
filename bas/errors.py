"""One family of exceptions for what a user can mend; every message says what to do.

A message has four parts: what and where, what was found, what was wanted, the remedy.
Anything that is not a `BasError` is a bug and keeps its traceback.
"""

from __future__ import annotations


class BasError(Exception):
    """Base of everything a user can mend; `exit_code` is what the command line returns."""

    exit_code = 1


class PartialError(BasError):
    """The run finished, but some items were skipped or are incomplete."""

    exit_code = 3


class DataError(BasError):
    """A video, label, prediction or cache file is wrong."""

    exit_code = 65


class MissingError(BasError):
    """Something that was asked for is not there."""

    exit_code = 66


class UnavailableError(BasError):
    """A device, codec or dependency is missing on this machine."""

    exit_code = 69


class RunFailedError(BasError):
    """A run cannot go on: it diverged, or memory ran out."""

    exit_code = 70


class LockedError(BasError):
    """Another process is at work on the same output."""

    exit_code = 73


class OutputError(BasError):
    """An output cannot be written: the disk is full or failed, or something else is there already."""

    exit_code = 74


class StoppedError(BasError):
    """The run was asked to stop; the same command continues it."""

    exit_code = 75


class AccessError(BasError):
    """It is there, but not for this account or password."""

    exit_code = 77


class SettingsError(BasError):
    """A preset or a setting does not describe a run."""

    exit_code = 78
