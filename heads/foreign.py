"""`bas import-weights`: published checkpoints become model folders, and nothing in them is ever executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, assert_never

import torch

from bas import console
from bas.dataset import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.errors import DataError, SettingsError
from bas.heads.foreign_file import read_checkpoint
from bas.heads.foreign_sizes import Extreme, Foreign, lromul, netvlad, tdeed
from bas.heads.models import write_model
from bas.heads.stacker import RowModel, Stacker

Source = Literal["lromul", "tdeed", "netvlad"]

_VOCABULARIES = {len(names): names for names in (BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES)}
_OWN = "head.standard."
"""Buffers that no published model has: they change nothing as they are built."""


def import_weights(
    source: Source,
    file: Path,
    out: Path,
    *,
    classes: Sequence[str] = (),
    raw: bool = False,
    pool: Extreme | None = None,
    window_seconds: float | None = None,
) -> Stacker | RowModel:
    """Turn a published checkpoint into a model folder.

    Args:
        source: lromul gives a whole stacker; tdeed its temporal module and output layers; netvlad the
            pooling head. The last two read vectors of frames, for their 2D networks are not those of bas.
        file: lRomul's argus `.pth`, T-DEED's `.pt`, sn-spotting's `.pth.tar`.
        out: folder of the model; it must not hold one.
        classes: names of the outputs, without the background; those of the datasets are known by their number.
        raw: of lromul, the weights themselves instead of their moving average.
        pool: of a netvlad checkpoint without clusters, which pooling it is.
        window_seconds: of netvlad, which its weights do not tell; 15 as published.

    Raises:
        MissingError: there is no such file.
        DataError: it is no such checkpoint; keys, shapes and values that do not fit are all listed.
        SettingsError: `out` holds a model, the classes cannot be named, or bas has no model of such sizes.
    """
    for flag, given, owner in (
        ("--raw", raw, "lromul"),
        ("--pool", pool, "netvlad"),
        ("--window-seconds", window_seconds, "netvlad"),
    ):
        if given and source != owner:
            raise SettingsError(
                f"{flag} is for checkpoints of {owner}: leave it out, this is one of {source}."
            )
    if (out / "model.safetensors").exists():
        raise SettingsError(
            f"{out} holds a model already. Give another folder with --out, or delete that one."
        )
    match source:
        case "lromul":
            key = "no_ema_nn_state_dict" if raw else "nn_state_dict"
            foreign = lromul(read_checkpoint(file, under=key))
        case "tdeed":
            foreign = tdeed(read_checkpoint(file, under=None))
        case "netvlad":
            checkpoint = read_checkpoint(file, under="state_dict")
            foreign = netvlad(checkpoint, extreme=pool, window_seconds=window_seconds)
        case _:
            assert_never(source)
    names = _names(foreign.actions, classes)
    model = foreign.build(names)
    if problems := list(_problems(model, foreign)):
        raise DataError(f"{file} does not fit, in {len(problems)} tensors:\n  " + "\n  ".join(problems))
    model.load_state_dict(foreign.tensors, strict=False)
    if foreign.left_out:
        parts = ", ".join(f"{part} ({count} tensors)" for part, count in foreign.left_out.items())
        console.warn(f"Left out of {file}: {parts}.")
    write_model(out, model.eval(), metrics={}, data={"imported from": f"{source}: {file.name}"})
    count = sum(parameter.numel() for parameter in model.parameters())
    console.say(f"{out} holds {foreign.what}: {count:,} parameters, {len(names)} classes.")
    return model


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


def _problems(model: Stacker | RowModel, foreign: Foreign) -> Iterator[str]:
    """Every tensor that model and checkpoint do not share, by its published name."""
    wanted = {key: value for key, value in model.state_dict().items() if not key.startswith(_OWN)}
    found = foreign.tensors
    for key in sorted(wanted.keys() | found.keys()):
        name = foreign.published(key)
        if key not in found:
            yield f"{name} is missing"
        elif key not in wanted:
            yield f"{name} is unknown"
        elif found[key].shape != wanted[key].shape:
            yield f"{name} is {tuple(found[key].shape)}, wanted is {tuple(wanted[key].shape)}"
        elif found[key].is_floating_point() != wanted[key].is_floating_point():
            yield f"{name} is of {found[key].dtype}, wanted is {wanted[key].dtype}"
        elif not torch.isfinite(found[key]).all():
            yield f"{name} holds values that are not finite"
