"""`bas import-weights`: convert published checkpoints to model folders, without executing their pickles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, assert_never

import torch

from bas import console
from bas.dataset import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.errors import DataError, SettingsError
from bas.heads.interop.checkpoint_reader import read_checkpoint
from bas.heads.interop.model_folder import write_model
from bas.heads.interop.published_models import (
    PublishedModel,
    SimplePooling,
    lromul_model,
    netvlad_model,
    tdeed_model,
)
from bas.heads.models.stacker import FeatureModel, Stacker
from bas.messages import counted

Source = Literal["lromul", "tdeed", "netvlad"]

_CLASS_LISTS = {len(names): names for names in (BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES)}
_BAS_ONLY = "head.standard."
"""Prefix of buffers that no published model has; as initialized they are the identity."""


def import_weights(
    source: Source,
    file: Path,
    out: Path,
    *,
    classes: Sequence[str] = (),
    raw: bool = False,
    pool: SimplePooling | None = None,
    window_seconds: float | None = None,
    rate: str | None = None,
) -> Stacker | FeatureModel:
    """Convert a published checkpoint to a model folder.

    Args:
        source: lromul gives a whole stacker, tdeed the temporal module and output layers, netvlad the pooling
            head. The last two read feature vectors, because bas does not have their 2D networks.
        file: lRomul's argus `.pth`, T-DEED's `.pt` or sn-spotting's `.pth.tar`.
        out: model folder to create; it must not hold a model.
        classes: names of the outputs without background; by default the SoccerNet list of the same length.
        raw: lromul only: take the raw weights instead of their moving average.
        pool: netvlad only: pooling of a checkpoint without clusters.
        window_seconds: netvlad only: window length, which the weights do not determine; by default as published.
        rate: netvlad only: feature rows per second, which the weights do not determine; by default 2, as published.

    Raises:
        MissingError: the file does not exist.
        DataError: it is not a checkpoint of this source; all keys, shapes and values that do not match are listed.
        SettingsError: `out` holds a model, the class names are unknown, or no model of bas has these sizes.
    """
    for flag, given, owner in (
        ("--raw", raw, "lromul"),
        ("--pool", pool, "netvlad"),
        ("--window-seconds", window_seconds, "netvlad"),
        ("--rate", rate, "netvlad"),
    ):
        if given and source != owner:
            raise SettingsError(
                f"{flag} applies to {owner} checkpoints only, and this is a {source} checkpoint. Leave it out."
            )
    if (out / "model.safetensors").exists():
        raise SettingsError(
            f"{out} already holds a model. Choose another folder with --out, or delete this one."
        )
    match source:
        case "lromul":
            key = "no_ema_nn_state_dict" if raw else "nn_state_dict"
            published = lromul_model(read_checkpoint(file, under=key))
        case "tdeed":
            published = tdeed_model(read_checkpoint(file, under=None))
        case "netvlad":
            checkpoint = read_checkpoint(file, under="state_dict")
            published = netvlad_model(
                checkpoint, simple_pooling=pool, window_seconds=window_seconds, rate=rate
            )
        case _:
            assert_never(source)
    names = _class_names(published.actions, classes)
    model = published.build(names)
    if mismatches := list(_mismatches(model, published)):
        raise DataError(
            f"{file} does not match the model in {counted(len(mismatches), 'tensor')}:\n  "
            + "\n  ".join(mismatches)
        )
    model.load_state_dict(published.tensors, strict=False)
    if published.unused_parts:
        parts = ", ".join(
            f"{part} ({counted(count, 'tensor')})" for part, count in published.unused_parts.items()
        )
        console.warn(f"Not imported from {file}: {parts}.")
    write_model(out, model.eval(), metrics={}, data={"imported from": f"{source}: {file.name}"})
    count = sum(parameter.numel() for parameter in model.parameters())
    console.info(
        f"Imported {published.description} to {out}: {count:,} parameters, {counted(len(names), 'class')}."
    )
    if source == "netvlad" and (window_seconds is None or rate is None):
        console.info(
            "The weights do not determine window and rate: those not given are as published. Set them with "
            "--window-seconds and --rate."
        )
    return model


def _class_names(count: int, classes: Sequence[str]) -> tuple[str, ...]:
    if classes:
        if len(classes) != count or len(set(classes)) != count:
            raise SettingsError(
                f"The checkpoint has {counted(count, 'class')}, but --class gives {len(classes)}: "
                f"{', '.join(classes)}. "
                "Give each class once, in the order of the outputs."
            )
        return tuple(classes)
    if count not in _CLASS_LISTS:
        raise SettingsError(
            f"Unknown class list: the checkpoint has {counted(count, 'class')}, and the known lists have "
            f"{', '.join(map(str, sorted(_CLASS_LISTS)))}. Name the classes in output order: --class NAME for each."
        )
    return _CLASS_LISTS[count]


def _mismatches(model: Stacker | FeatureModel, published: PublishedModel) -> Iterator[str]:
    """One line for every tensor that does not match between model and checkpoint, by its published name."""
    expected = {key: value for key, value in model.state_dict().items() if not key.startswith(_BAS_ONLY)}
    found = published.tensors
    for key in sorted(expected.keys() | found.keys()):
        name = published.published_name(key)
        if key not in found:
            yield f"{name} is missing"
        elif key not in expected:
            yield f"{name} is unknown"
        elif found[key].shape != expected[key].shape:
            yield f"{name} has shape {tuple(found[key].shape)}, expected {tuple(expected[key].shape)}"
        elif found[key].is_floating_point() != expected[key].is_floating_point():
            yield f"{name} has dtype {found[key].dtype}, expected {expected[key].dtype}"
        elif not torch.isfinite(found[key]).all():
            yield f"{name} holds non-finite values"
