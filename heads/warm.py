"""A head that starts from the weights of another model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bas import console
from bas.errors import DataError, MissingError
from bas.heads.head import Head
from bas.heads.models import classes_of

_PREFIX = "head."  # of a head's tensors in model.safetensors
_OF_CLASSES = ("classifier.layer.", "displacement.")


def model_file(folder: Path) -> Path:
    """The weights to start from.

    Raises:
        MissingError: the folder holds no model.
    """
    file = folder / "model.safetensors"
    if not file.is_file():
        raise MissingError(
            f"fit.start_from={folder} holds no model.safetensors. Give the folder of a finished run or a model."
        )
    return file


def warm_start(head: Head, folder: Path, *, classes: Sequence[str]) -> None:
    """Take over every tensor of the model in `folder` that has its counterpart here; name all others.

    Raises:
        MissingError, DataError: as of `fitting_tensors`.
    """
    theirs, fitting = fitting_tensors(head, folder, classes=classes)
    ours = head.state_dict()
    head.load_state_dict(fitting, strict=False)
    console.say(f"{len(fitting)} of {len(ours)} tensors start from {folder}.")
    unfit = [_difference(key, theirs, ours) for key in sorted({*theirs, *ours} - {*fitting})]
    if unfit:
        console.warn(f"These do not fit and start anew: {'; '.join(unfit)}.")


def fitting_tensors(
    head: Head, folder: Path, *, classes: Sequence[str]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """All tensors of the head of the model in `folder`, and those of them that fit `head`.

    Of a model that tells other classes, what belongs to a class is left out, whatever its size.

    Args:
        head: to fill.
        folder: of the model.
        classes: that `head` tells.

    Raises:
        MissingError: the folder holds no model.
        DataError: the model is damaged, or no tensor of it fits.
    """
    file = model_file(folder)
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise DataError(f"{file} is damaged: {error}. Copy it again.") from error
    theirs = {key.removeprefix(_PREFIX): value for key, value in tensors.items() if key.startswith(_PREFIX)}
    if classes_of(folder) != tuple(classes):
        theirs = {
            key: value
            for key, value in theirs.items()
            if not (key.startswith(_OF_CLASSES) and len(value) > 1)  # a displacement that all share stays
        }
    ours = head.state_dict()
    fitting = {key: value for key, value in theirs.items() if key in ours and value.shape == ours[key].shape}
    if not fitting:
        raise DataError(
            f"No tensor of {file} fits this head. Give a model of the same kind and size of head "
            f"({', '.join(sorted(theirs)[:3])} ... stand there, {', '.join(sorted(ours)[:3])} ... are wanted)."
        )
    return theirs, fitting


def _difference(key: str, theirs: dict[str, torch.Tensor], ours: dict[str, torch.Tensor]) -> str:
    there, here = (
        "x".join(map(str, tensors[key].shape)) or "one" if key in tensors else "absent"
        for tensors in (theirs, ours)
    )
    return f"{key} ({there} there, {here} here)"
