"""Initialization of a head from the weights of another model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from bas import console
from bas.errors import DataError, MissingError
from bas.guarded.tensors import load_tensors
from bas.heads.interop.model_folder import load_classes
from bas.heads.models.base import Head
from bas.messages import counted

_PREFIX = "head."  # prefix of a head's tensors in model.safetensors
_CLASS_LAYERS = ("classifier.layer.", "displacement.")


def model_file(folder: Path) -> Path:
    """Path of the weights to start from.

    Raises:
        MissingError: the folder holds no model.
    """
    file = folder / "model.safetensors"
    if not file.is_file():
        raise MissingError(
            f"fit.init_from={folder} has no model.safetensors. Give the folder of a finished run or of a model."
        )
    return file


def warm_start(head: Head, folder: Path, *, classes: Sequence[str]) -> None:
    """Copy every tensor of the model in `folder` that matches one of `head`, and report all others.

    Raises:
        MissingError, DataError: see `matching_tensors`.
    """
    theirs, matching = matching_tensors(head, folder, classes=classes)
    ours = head.state_dict()
    head.load_state_dict(matching, strict=False)
    console.info(f"Initialized {len(matching)} of {counted(len(ours), 'tensor')} from {folder}.")
    unmatched = [_difference(key, theirs, ours) for key in sorted({*theirs, *ours} - {*matching})]
    if unmatched:
        console.warn(f"Tensors without a match, not loaded: {'; '.join(unmatched)}.")


def matching_tensors(
    head: Head, folder: Path, *, classes: Sequence[str]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """All head tensors of the model in `folder`, and those that match `head` in name and shape.

    If the model predicts other classes, class-specific tensors do not match, even if shapes agree.

    Args:
        head: head to initialize.
        folder: folder of the model.
        classes: classes of `head`.

    Raises:
        MissingError: the folder holds no model.
        DataError: the model is damaged, or no tensor matches.
    """
    file = model_file(folder)
    tensors = load_tensors(file)
    theirs = {key.removeprefix(_PREFIX): value for key, value in tensors.items() if key.startswith(_PREFIX)}
    ours = head.state_dict()
    other_classes = load_classes(folder) != tuple(classes)
    matching = {
        key: value
        for key, value in theirs.items()
        if key in ours
        and value.shape == ours[key].shape
        and not (other_classes and _is_class_specific(key, value))
    }
    if not matching:
        raise DataError(
            f"No tensor of {file} matches this head. Got {', '.join(sorted(theirs)[:3])} ..., expected "
            f"{', '.join(sorted(ours)[:3])} .... Give a model with a head of the same kind and size."
        )
    return theirs, matching


def _is_class_specific(key: str, value: torch.Tensor) -> bool:
    """Whether a tensor has one row per class; a displacement shared by all classes has a single row."""
    return key.startswith(_CLASS_LAYERS) and len(value) > 1


def _difference(key: str, theirs: dict[str, torch.Tensor], ours: dict[str, torch.Tensor]) -> str:
    there, here = (
        "x".join(map(str, tensors[key].shape)) or "scalar" if key in tensors else "absent"
        for tensors in (theirs, ours)
    )
    return f"{key} ({there} there, {here} here)"
