"""Safe reader of published checkpoints: its unpickler builds tensors and plain containers, and refuses all else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from bas.errors import DataError, MissingError
from bas.guarded.tensors import load_plain
from bas.messages import not_existing

_WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.)+")
"""Prefixes that DataParallel and torch.compile add to every name."""
_EXECUTED = re.compile(r"GLOBAL (\S+)|function (\S+)|class (\S+)")
"""Places in the unpickler's error messages that name the refused code."""


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """Tensors of a checkpoint file by their published names."""

    file: Path
    tensors: Mapping[str, Tensor]

    def shape(self, key: str, dimensions: int) -> tuple[int, ...]:
        """Shape of a tensor from which a size of the model follows.

        Raises:
            DataError: the tensor is missing, empty, or has another number of dimensions.
        """
        found = tuple(self.tensors[key].shape) if key in self.tensors else None
        if found is None or len(found) != dimensions or 0 in found:
            problem = "is missing" if found is None else f"has the shape {found}"
            raise DataError(
                f"Unexpected checkpoint {self.file}: {key} {problem}. Expected {dimensions} dimensions, which determine "
                f"the size of the model. The file has {', '.join(sorted(self.tensors)[:6])} ..."
            )
        return found

    def count(self, pattern: str) -> int:
        """Number of different values of the first group of `pattern` among the names."""
        return len({match[1] for key in self.tensors if (match := re.match(pattern, key))})


def read_checkpoint(file: Path, *, under: str | None) -> PublishedCheckpoint:
    """Read the state dict of a file without executing anything in it.

    Args:
        file: checkpoint as published.
        under: key of the state dict; None if the file is the state dict itself.

    Raises:
        MissingError: the file does not exist.
        DataError: it is not such a checkpoint, or holds more than tensors and plain values.
    """
    content = _content(file)
    if under is not None:
        found = ", ".join(sorted(map(str, content))[:8])
        content = content.get(under, {})
        if not isinstance(content, Mapping) or not content:
            raise DataError(
                f"Missing {under} in {file}, which holds {found}. Use the checkpoint as published."
            )
    others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if others or not content:
        raise DataError(
            f"{file} is not a state dict of tensors: {', '.join(others[:8]) or 'it is empty'}. Use the checkpoint as "
            "published."
        )
    return PublishedCheckpoint(file, {_WRAPPERS.sub("", str(key)): value for key, value in content.items()})


def _content(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        raise MissingError(f"{not_existing(file)} Give the checkpoint file.")
    try:
        content = load_plain(file)
    except ValueError as error:
        raise _read_error(file, str(error.__cause__)) from error
    if not isinstance(content, Mapping):
        raise DataError(f"{file} holds a {type(content).__name__}. Expected a mapping of names to tensors.")
    return content


def _read_error(file: Path, reason: str) -> DataError:
    """Explain a failed read without torch's own message, which advises to read the file unsafely."""
    if match := _EXECUTED.search(reason):
        return DataError(
            f"{file} asks to execute {next(filter(None, match.groups()))}, but a checkpoint holds only tensors and plain "
            "values. It was refused; nothing in it was executed. If you trust its source, save only its state dict "
            "with torch.save where it was created, and import that file."
        )
    return DataError(
        f"{file} is not a torch.save checkpoint, or it is truncated or damaged. Nothing in it was executed. Download it "
        "again."
    )
