"""Encoder stages by depth: freezing and layer-wise learning rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from string import digits
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from bas.config import FinetuneSettings
from bas.config.finetune import FREEZE
from bas.errors import SettingsError
from bas.extract.encode.encoder import Encoder
from bas.heads.models.stacker import Stacker
from bas.heads.training.optimizer import parameter_groups
from bas.messages import counted


def encoder_stages(encoder: Encoder) -> list[list[nn.Module]]:
    """The encoder's modules from input to output: the stem, then each block with the modules after it.

    timm numbers its blocks, as blocks.0, layer1, s1 or stages_0. The blocks are the largest group of
    numbered children that have parameters.
    """
    children = list(_children(encoder.body))
    # Activations may be numbered like blocks, so only children with parameters count.
    with_parameters = {name for name, child in children if next(child.parameters(), None) is not None}
    prefixes = Counter(name.rstrip(digits) for name, _ in children if name in with_parameters)
    block_prefix = prefixes.most_common(1)[0][0]
    stages: list[list[nn.Module]] = [[]]
    for name, child in children:
        if name.rstrip(digits) == block_prefix and name in with_parameters:
            stages.append([])
        stages[-1].append(child)
    return stages


def freeze(encoder: Encoder, part: str) -> None:
    """Disable the gradient of a part of the encoder: none, encoder, or encoder.blocks[:k] (the stem included).

    Raises:
        SettingsError: the encoder has fewer than k blocks.
    """
    encoder.requires_grad_(True)
    for module in _frozen(encoder, part):
        module.requires_grad_(False)


def freeze_norm_statistics(stacker: Stacker, part: str) -> None:
    """Keep the running statistics of all normalizations, and disable dropout in the frozen part."""
    for module in chain.from_iterable(m.modules() for m in _frozen(stacker.encoder, part)):
        module.training = False
    # A clip is one sample of correlated pictures: its statistics would say little about others.
    for module in stacker.modules():
        if isinstance(module, _NormBase):
            module.training = False


def layerwise_parameter_groups(stacker: Stacker, settings: FinetuneSettings) -> list[dict[str, Any]]:
    """Parameters with their learning rates: the head, then the encoder's stages from the last to the stem."""
    groups = parameter_groups(stacker.head.parameters(), settings.head_learning_rate)
    # The nearer to the input, the more general are the features, and the less they need to change.
    for distance, modules in enumerate(reversed(encoder_stages(stacker.encoder))):
        rate = settings.encoder_learning_rate * settings.layer_decay**distance
        groups += parameter_groups(chain.from_iterable(module.parameters() for module in modules), rate)
    return groups


def _children(body: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Children with their names; the children of `blocks` instead of itself."""
    for name, child in body.named_children():
        if name == "blocks" and isinstance(child, nn.Sequential | nn.ModuleList):
            yield from ((f"{name}.{number}", block) for number, block in child.named_children())
        else:
            yield name, child


def _frozen(encoder: Encoder, part: str) -> Iterator[nn.Module]:
    if part == "none":
        return
    if part == "encoder":
        yield encoder
        return
    match = FREEZE.fullmatch(part)
    assert match, part
    stem, *blocks = encoder_stages(encoder)
    count = int(match[1])
    if count > len(blocks):
        raise SettingsError(
            f"Invalid finetune.freeze={part}: {encoder.name} has {counted(len(blocks), 'block')}. Use "
            "encoder.blocks[:k] with k "
            f"up to {len(blocks)}, or encoder for all of it."
        )
    yield from chain(stem, *blocks[:count])
