"""Files of other systems, read by an unpickler that builds tensors and plain containers and refuses all else."""

from __future__ import annotations

import pickle  # noqa: TID251  (the name of an error; nothing is unpickled)
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bas.errors import DataError, MissingError

_WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.)+")
"""What DataParallel and torch.compile put before every name."""
_EXECUTED = re.compile(r"GLOBAL (\S+)|function (\S+)|class (\S+)")
"""How the unpickler's message names what a file asks for."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tensors of a file by their published names."""

    file: Path
    tensors: Mapping[str, Tensor]

    def shape(self, key: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor that tells a size of the model.

        Raises:
            DataError: it is missing, empty, or has another number of dimensions.
        """
        found = tuple(self.tensors[key].shape) if key in self.tensors else None
        if found is None or len(found) != dimensions or 0 in found:
            raise DataError(
                f"{self.file} is another checkpoint: {key}, whose {dimensions} dimensions tell the size of the model, "
                f"{'is missing' if found is None else f'has the shape {found}'}. The file has "
                f"{', '.join(sorted(self.tensors)[:6])} ..."
            )
        return found

    def count(self, pattern: str) -> int:
        """How many different numbers stand where `pattern` has its group."""
        return len({match[1] for key in self.tensors if (match := re.match(pattern, key))})


def read_checkpoint(file: Path, *, under: str | None) -> Checkpoint:
    """The state dict of a file; nothing in it is executed.

    Args:
        file: as it was published.
        under: key that the state dict stands under; None where the file is the state dict.

    Raises:
        MissingError: there is no such file.
        DataError: it is no such checkpoint, or asks for more than tensors and plain values.
    """
    content = _content(file)
    if under is not None:
        found = ", ".join(sorted(map(str, content))[:8])
        content = content.get(under, {})
        if not isinstance(content, Mapping) or not content:
            raise DataError(
                f"{file} has no {under}; wanted is the checkpoint as it was published, and found are {found}."
            )
    others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if others or not content:
        raise DataError(
            f"{file} is no state dict of tensors: {', '.join(others[:8]) or 'it is empty'}. Give the checkpoint as "
            "it was published."
        )
    return Checkpoint(file, {_WRAPPERS.sub("", str(key)): value for key, value in content.items()})


def _content(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        raise MissingError(f"{file} is not there. Give the file of the checkpoint.")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        struct.error,
        AssertionError,
        AttributeError,
        EOFError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:  # all that damaged files were seen to raise
        raise _refusal(file, str(error)) from error
    if not isinstance(content, Mapping):
        raise DataError(f"{file} holds a {type(content).__name__}; wanted is a mapping of names to tensors.")
    return content


def _refusal(file: Path, reason: str) -> DataError:
    """In words of our own: torch's advise to read the file unsafely."""
    if match := _EXECUTED.search(reason):
        return DataError(
            f"{file} asks to execute {next(filter(None, match.groups()))}, and a checkpoint holds tensors and plain "
            "values alone. It was refused, and nothing of it was executed. If you trust its source, save its state "
            "dict alone with torch.save where it was made, and give that file."
        )
    return DataError(
        f"{file} is no checkpoint that torch.save wrote, or it is cut or damaged. Nothing of it was executed. "
        "Download it again."
    )
