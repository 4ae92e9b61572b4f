"""Files of tensors, read without executing anything in them."""

from __future__ import annotations

import pickle  # noqa: TID251  (the name of an error; nothing is unpickled)
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bas.errors import DataError, is_out_of_memory
from bas.files import read_json, reopens, sha256_of


@reopens
def load_tensors(file: Path) -> dict[str, Tensor]:
    """Read a safetensors file. That of a model must have the SHA-256 in the `config.json` beside it, if one is there.

    Raises:
        OSError: the file cannot be read.
        DataError: it is damaged, or is not the one that the config was written with.
    """
    expected = _recorded_sha256(file.with_name("config.json"))
    if expected is not None and sha256_of(file) != expected:
        raise DataError(
            f"{file} is damaged or from another model: its SHA-256 differs from the one in config.json. Copy the folder again."
        )
    try:
        return load_file(file)
    except SafetensorError as error:
        raise DataError(f"{file} is not a valid safetensors file: {error}. Copy it again.") from error


@reopens
def load_plain(file: Path) -> Any:
    """Read a file of `torch.save` that holds only tensors and plain values.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or asks to execute code; the cause is torch's own error.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    # Damaged files raise any of these: the list was found by damaging files at random.
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
    ) as error:
        if is_out_of_memory(error):
            raise
        # Without torch's own message, which advises to read the file unsafely.
        raise ValueError(f"{file.name} holds more than tensors and plain values, or is damaged") from error


def _recorded_sha256(config: Path) -> str | None:
    """Hash of the weights in the config of a model; None without a config, or in one older than this hash."""
    content = read_json(config) if config.is_file() else None
    recorded = content.get("sha256") if isinstance(content, dict) else None
    return recorded if isinstance(recorded, str) else None
