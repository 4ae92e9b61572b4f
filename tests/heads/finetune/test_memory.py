"""Expected memory: frozen parts need less, and the estimate is close to what a step allocates."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from support.extracting import tiny_encoder, tiny_settings

from bas.config import FinetuneSettings, Pipeline
from bas.config.finetune import AugmentSettings, Factor, RandomTransform
from bas.heads.finetune.clip_sampler import clip_shape
from bas.heads.finetune.memory import _LiveBytes, expected_bytes
from bas.heads.finetune.model import ClipModel
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Task
from bas.heads.models.stacker import Stacker

_SIZE = (64, 96)


def _clip_model(folder: Path, settings: FinetuneSettings, rows: int = 31) -> ClipModel:
    pipeline = Pipeline.model_validate({"extract": tiny_settings(folder).model_dump()})
    head = build_head(pipeline.head, (64, 2, 2), Task(3), row_rate=Fraction(25, 2))
    stacker = Stacker(deepcopy(tiny_encoder()), head, settings=pipeline, classes=("A", "B", "C"))
    shape = clip_shape(head, rows, pipeline.extract)
    return ClipModel(stacker, shape, settings)


def _expected(folder: Path, *, rows: int = 31, world_size: int = 1, **changes: Any) -> int:
    settings = FinetuneSettings(batch=2, shuffle_clips=1, **changes)
    model = _clip_model(folder, settings, rows)
    return expected_bytes(model, settings, world_size=world_size, half_precision=False)


@pytest.mark.parametrize("freeze", ["none", "encoder.blocks[:2]", "encoder.blocks[:5]", "encoder"])
@pytest.mark.parametrize("checkpointing", [True, False])
def test_the_estimate_is_close_to_what_a_step_allocates(
    tmp_path: Path, freeze: str, *, checkpointing: bool
) -> None:
    settings = FinetuneSettings(freeze=freeze, checkpointing=checkpointing, batch=1, shuffle_clips=1)
    model = _clip_model(tmp_path, settings).train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    for parameter in trainable:
        parameter.grad = torch.zeros_like(parameter)
    luma = torch.zeros(33, *_SIZE, dtype=torch.uint8)
    with _LiveBytes() as live:
        model(luma, torch.arange(31)).logits.sum().backward()
    states = 4 * (2 * sum(p.numel() for p in model.parameters()) + 3 * sum(p.numel() for p in trainable))
    expected = expected_bytes(model, settings, world_size=1, half_precision=False)
    assert expected - states - 3 * luma.numel() == pytest.approx(live.peak, rel=0.4)


def test_the_more_is_frozen_the_less_memory_is_expected(tmp_path: Path) -> None:
    parts = ("none", "encoder.blocks[:2]", "encoder.blocks[:4]", "encoder")
    expected = [_expected(tmp_path, freeze=part, checkpointing=False) for part in parts]
    assert expected == sorted(expected, reverse=True)
    assert expected[2] < 0.7 * expected[0]


def test_augmented_clips_and_gradient_buckets_are_counted(tmp_path: Path) -> None:
    plain = _expected(tmp_path)
    clip = 33 * _SIZE[0] * _SIZE[1]
    flipped = _expected(
        tmp_path, augment=AugmentSettings(flip=RandomTransform(p=0.5), jitter=RandomTransform(p=0.5))
    )
    assert flipped == plain
    assert _expected(tmp_path, augment=AugmentSettings(brightness=Factor(p=0.1))) == plain + 3 * 4 * clip
    trainable = sum(p.numel() for p in _clip_model(tmp_path, FinetuneSettings()).parameters())
    assert _expected(tmp_path, world_size=2) == plain + 4 * trainable - 3 * clip  # and one clip fewer
