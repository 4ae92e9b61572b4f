"""`bas import-weights`: published checkpoints become model folders, and nothing in them is ever executed."""

from __future__ import annotations

import pickle  # noqa: TID251  (the name of an error; nothing is unpickled)
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_never

import torch
from torch import Tensor

from bas import console
from bas.dataset import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.errors import DataError, MissingError, SettingsError
from bas.heads.foreign_sizes import Foreign, lromul, netvlad, tdeed
from bas.heads.models import write_model
from bas.heads.stacker import RowModel, Stacker

Source = Literal["lromul", "tdeed", "netvlad"]

_VOCABULARIES = {len(names): names for names in (BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES)}
_EMA, _RAW = "nn_state_dict", "no_ema_nn_state_dict"


def import_weights(
    source: Source,
    file: Path,
    out: Path,
    *,
    classes: Sequence[str] = (),
    raw: bool = False,
    window_seconds: float = 15.0,
) -> Stacker | RowModel:
    """Turn a published checkpoint into a model folder.

    Args:
        source: lromul gives a whole stacker; tdeed its temporal module and output layers; netvlad the
            pooling head. The last two read vectors of frames, for their 2D networks are not those of bas.
        file: lRomul's argus `.pth`, T-DEED's `.pt`, sn-spotting's `.pth.tar`.
        out: folder of the model; it must not hold one.
        classes: names of the outputs, without the background; those of the datasets are known by their number.
        raw: of lromul, the weights themselves instead of their moving average.
        window_seconds: of netvlad, which its weights do not tell.

    Raises:
        MissingError: there is no such file.
        DataError: it is no such checkpoint; keys and shapes that do not fit are listed.
        SettingsError: `out` holds a model, or the classes cannot be named.
    """
    if (out / "model.safetensors").exists():
        raise SettingsError(
            f"{out} holds a model already. Give another folder with --out, or delete that one."
        )
    checkpoint = _read(file)
    match source:
        case "lromul":
            foreign = lromul(_state(checkpoint, _RAW if raw else _EMA, file))
        case "tdeed":
            foreign = tdeed(_plain(checkpoint, file))
        case "netvlad":
            foreign = netvlad(_state(checkpoint, "state_dict", file), window_seconds=window_seconds)
        case _:
            assert_never(source)
    names = _names(foreign.actions, classes)
    model = foreign.build(names)
    _fill(model, foreign, file)
    if foreign.left_out:
        console.warn(
            f"Left out of {file}: {', '.join(f'{n} ({k} tensors)' for n, k in foreign.left_out.items())}."
        )
    write_model(out, model.eval(), metrics={}, data={"imported from": f"{source}: {file.name}"})
    count = sum(parameter.numel() for parameter in model.parameters())
    console.say(f"{out} holds {foreign.what}: {count:,} parameters, {len(names)} classes.")
    return model


def _read(file: Path) -> Mapping[str, Any]:
    """The checkpoint, by the unpickler that builds tensors and plain containers and refuses all else."""
    if not file.is_file():
        raise MissingError(f"{file} is not there. Give the file of the checkpoint.")
    try:
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{file} is not a checkpoint of tensors and plain values, or it is cut: {reason} Nothing of it was "
            "executed. Download it again; if it holds more than weights, save its state dict alone with torch.save."
        ) from error
    if not isinstance(checkpoint, Mapping):
        raise DataError(
            f"{file} holds a {type(checkpoint).__name__}; wanted is a mapping of names to tensors."
        )
    return checkpoint


def _state(checkpoint: Mapping[str, Any], key: str, file: Path) -> dict[str, Tensor]:
    """The state dict under a key of the checkpoint."""
    if not isinstance(checkpoint.get(key), Mapping):
        raise DataError(
            f"{file} has no {key}; wanted is the checkpoint as it was published, and found are "
            f"{', '.join(sorted(map(str, checkpoint))[:8])}."
        )
    return _plain(checkpoint[key], file)


def _plain(state: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """Tensors by name, without the prefix of a wrapper for several GPUs."""
    others = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if others or not state:
        raise DataError(
            f"{file} is no state dict of tensors: {', '.join(others[:8]) or 'it is empty'}. Give the checkpoint as "
            "it was published."
        )
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _names(count: int, classes: Sequence[str]) -> tuple[str, ...]:
    if classes:
        if len(classes) != count or len(set(classes)) != count:
            raise SettingsError(
                f"The checkpoint has {count} classes, and --class names {len(classes)}: {', '.join(classes)}. "
                "Name each once, in the order of its outputs."
            )
        return tuple(classes)
    if count not in _VOCABULARIES:
        raise SettingsError(
            f"The checkpoint has {count} classes, and known are vocabularies of "
            f"{', '.join(map(str, sorted(_VOCABULARIES)))}. Name them in the order of its outputs: --class NAME for each."
        )
    return _VOCABULARIES[count]


def _fill(model: Stacker | RowModel, foreign: Foreign, file: Path) -> None:
    """Give every tensor of the model that of the checkpoint; whatever does not fit is listed."""
    wanted = {key: value for key, value in model.state_dict().items() if not key.startswith(_OWN)}
    found = foreign.tensors
    problems = [f"{foreign.published(key)} is missing" for key in sorted(wanted.keys() - found.keys())]
    problems += [f"{foreign.published(key)} is unknown" for key in sorted(found.keys() - wanted.keys())]
    problems += [
        f"{foreign.published(key)} is {tuple(found[key].shape)}, wanted is {tuple(wanted[key].shape)}"
        for key in sorted(wanted.keys() & found.keys())
        if found[key].shape != wanted[key].shape
    ]
    if problems:
        raise DataError(f"{file} does not fit, in {len(problems)} tensors:\n  " + "\n  ".join(problems))
    model.load_state_dict(found, strict=False)


_OWN = "head.standard."
"""Buffers that no published model has: they change nothing as they are built."""
