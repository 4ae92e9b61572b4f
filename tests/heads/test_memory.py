"""Expected memory: what is frozen takes less, and what is counted is about what a step really makes."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from extracting import tiny_encoder, tiny_settings

from bas.config import FinetuneSettings, Pipeline
from bas.config.finetune import AugmentSettings, Chance, Factor
from bas.heads.build import build_head
from bas.heads.clip_plan import clip_shape
from bas.heads.clips import slots_of
from bas.heads.joint import JointModel
from bas.heads.memory import _Living, expected_bytes
from bas.heads.outputs import Task
from bas.heads.stacker import Stacker

_SIZE = (64, 96)


def _joint(folder: Path, settings: FinetuneSettings, rows: int = 31) -> JointModel:
    pipeline = Pipeline.model_validate({"extract": tiny_settings(folder).model_dump()})
    head = build_head(pipeline.head, (64, 2, 2), Task(3), row_rate=Fraction(25, 2))
    stacker = Stacker(deepcopy(tiny_encoder()), head, settings=pipeline, classes=("A", "B", "C"))
    shape = clip_shape(head, rows)
    return JointModel(stacker, shape, slots_of(shape, pipeline), settings)


def _expected(folder: Path, *, rows: int = 31, processes: int = 1, **changes: Any) -> int:
    settings = FinetuneSettings(batch=2, shuffle_clips=1, **changes)
    model = _joint(folder, settings, rows)
    shape = clip_shape(model.stacker.head, rows)
    return expected_bytes(model, shape, settings, size=_SIZE, slots=rows + 2, processes=processes, half=False)


@pytest.mark.parametrize("freeze", ["none", "encoder.blocks[:2]", "encoder.blocks[:5]", "encoder"])
@pytest.mark.parametrize("checkpointing", [True, False])
def test_what_is_expected_is_what_a_step_makes(tmp_path: Path, freeze: str, *, checkpointing: bool) -> None:
    settings = FinetuneSettings(freeze=freeze, checkpointing=checkpointing, batch=1, shuffle_clips=1)
    joint = _joint(tmp_path, settings).train()
    shape = clip_shape(joint.stacker.head, 31)
    learned = [p for p in joint.parameters() if p.requires_grad]
    for parameter in learned:
        parameter.grad = torch.zeros_like(parameter)
    luma = torch.zeros(33, *_SIZE, dtype=torch.uint8)
    with _Living() as living:
        joint(luma, torch.arange(31)).logits.sum().backward()
    states = 4 * (2 * sum(p.numel() for p in joint.parameters()) + 3 * sum(p.numel() for p in learned))
    expected = expected_bytes(joint, shape, settings, size=_SIZE, slots=33, processes=1, half=False)
    assert expected - states - 3 * luma.numel() == pytest.approx(living.peak, rel=0.4)


def test_the_more_is_frozen_the_less_is_expected(tmp_path: Path) -> None:
    parts = ("none", "encoder.blocks[:2]", "encoder.blocks[:4]", "encoder")
    expected = [_expected(tmp_path, freeze=part, checkpointing=False) for part in parts]
    assert expected == sorted(expected, reverse=True)
    assert expected[2] < 0.7 * expected[0]


def test_changed_clips_and_gradients_on_their_way_are_counted(tmp_path: Path) -> None:
    plain = _expected(tmp_path)
    clip = 33 * _SIZE[0] * _SIZE[1]
    flipped = _expected(tmp_path, augment=AugmentSettings(flip=Chance(p=0.5), jitter=Chance(p=0.5)))
    assert flipped == plain
    assert _expected(tmp_path, augment=AugmentSettings(brightness=Factor(p=0.1))) == plain + 3 * 4 * clip
    learned = sum(p.numel() for p in _joint(tmp_path, FinetuneSettings()).parameters())
    assert _expected(tmp_path, processes=2) == plain + 4 * learned - 3 * clip  # and one clip fewer
