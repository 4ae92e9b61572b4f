"""The encoder by depth: what is frozen, and how fast each block learns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from string import digits
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from bas.config import FinetuneSettings
from bas.errors import SettingsError
from bas.extract.encoder import Encoder
from bas.heads.optim import group
from bas.heads.stacker import Stacker

_BLOCKS = re.compile(r"encoder\.blocks\[:([0-9]+)\]")


def depths(encoder: Encoder) -> list[list[nn.Module]]:
    """The encoder's modules from the pictures up: the stem, then each block with what follows it.

    Blocks are what the most children with weights are numbered as: blocks.0, layer1, s1 or stages_0 of timm.
    """
    children = list(_children(encoder.body))
    learning = {name for name, child in children if next(child.parameters(), None) is not None}
    kinds = Counter(_kind(name) for name, _ in children if name in learning)
    kind = kinds.most_common(1)[0][0]
    layers: list[list[nn.Module]] = [[]]
    for name, child in children:
        if _kind(name) == kind and name in learning:
            layers.append([])
        layers[-1].append(child)
    return layers


def freeze(encoder: Encoder, part: str) -> None:
    """Take the gradient from a part of the encoder: none, encoder, or encoder.blocks[:k], the stem with it.

    Raises:
        SettingsError: the encoder has fewer blocks.
    """
    encoder.requires_grad_(True)
    for module in _frozen(encoder, part):
        module.requires_grad_(False)


def require_eval(stacker: Stacker, part: str) -> None:
    """Keep the statistics of all normalizations, and dropout out of what is frozen."""
    for module in chain.from_iterable(m.modules() for m in _frozen(stacker.encoder, part)):
        module.training = False
    for module in stacker.modules():
        if isinstance(module, _NormBase):
            module.training = False


def joint_groups(stacker: Stacker, settings: FinetuneSettings) -> list[dict[str, Any]]:
    """Parameters with their learning rates: the head's first, then the encoder's, less the deeper they lie."""
    groups = group(stacker.head.parameters(), settings.head_learning_rate)
    for distance, modules in enumerate(reversed(depths(stacker.encoder))):
        rate = settings.encoder_learning_rate * settings.layer_decay**distance
        groups += group(chain.from_iterable(module.parameters() for module in modules), rate)
    return groups


def _children(body: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Children with their names; `blocks` holds them one level deeper."""
    for name, child in body.named_children():
        if name == "blocks" and isinstance(child, nn.Sequential | nn.ModuleList):
            yield from ((f"{name}.{number}", block) for number, block in child.named_children())
        else:
            yield name, child


def _kind(name: str) -> str:
    return name.rstrip(digits)


def _frozen(encoder: Encoder, part: str) -> Iterator[nn.Module]:
    if part == "none":
        return
    if part == "encoder":
        yield encoder
        return
    match = _BLOCKS.fullmatch(part)
    assert match, part
    stem, *blocks = depths(encoder)
    count = int(match[1])
    if count > len(blocks):
        raise SettingsError(
            f"finetune.freeze={part}: {encoder.name} has {len(blocks)} blocks. Name at most so many, or "
            "finetune.freeze=encoder."
        )
    yield from chain(stem, *blocks[:count])
