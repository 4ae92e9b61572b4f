"""Encoder and head as one model: the same numbers as from the cache, and only unfrozen parts train."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.extracting import make_game, tiny_encoder, tiny_settings
from torch import nn

from bas.config import FinetuneSettings, Pipeline
from bas.errors import SettingsError
from bas.extract.decode.timeline import open_timeline
from bas.extract.encode.encoder import Encoder, FrozenEncoder
from bas.extract.encode.stacks import canvas_of
from bas.extract.extract import cached_features
from bas.extract.online import features_of
from bas.heads.finetune.clip_sampler import clip_shape
from bas.heads.finetune.freezing import encoder_stages, freeze, layerwise_parameter_groups
from bas.heads.finetune.model import ClipModel
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Task
from bas.heads.models.stacker import Stacker
from bas.signals import StopFlag

_CLASSES = ("PASS", "DRIVE", "SHOT")
_HEADS = {
    "netvlad": {},
    "blocks3d": {"blocks": 1, "dropout": 0, "drop_path": 0},
    "sgp": {"clip_rows": 16, "dim": 64, "dropout": 0},
    "gru": {"clip_rows": 16, "hidden": 8, "dropout": 0},
    "linear": {},
}


def _stacker(folder: Path, kind: str = "netvlad", **extract: Any) -> Stacker:
    settings = Pipeline.model_validate(
        {"head": {"kind": kind} | _HEADS[kind], "extract": tiny_settings(folder, **extract).model_dump()}
    )
    torch.manual_seed(1)
    row_shape = (64, *settings.extract.grid)
    head = build_head(settings.head, row_shape, Task(len(_CLASSES)), row_rate=Fraction(25, 2))
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return Stacker(deepcopy(tiny_encoder()), head, settings=settings, classes=_CLASSES)


def _clip_model(stacker: Stacker, rows: int = 31, **changes: Any) -> ClipModel:
    shape = clip_shape(stacker.head, rows, stacker.settings.extract)
    return ClipModel(stacker, shape, FinetuneSettings(chunk_rows=5, **changes))


def _luma(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 64, 96), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("kind", _HEADS)
def test_a_clip_has_the_logits_of_its_windows(tmp_path: Path, kind: str) -> None:
    stacker = _stacker(tmp_path, kind)
    shape = clip_shape(stacker.head, 31, stacker.settings.extract)
    model = _clip_model(stacker).eval()
    luma = _luma(33)
    with torch.no_grad():
        output = model(luma, torch.arange(31))
        frames = shape.windows[0, :, None] * 2 + np.array([-2, 0, 2])
        pictures = luma[np.unique(frames) // 2 + 1].float() / 255
        one = stacker(pictures[None])
    logits = one if isinstance(one, torch.Tensor) else one.logits[0]
    torch.testing.assert_close(output.logits[0].reshape(logits.shape), logits, atol=1e-5, rtol=1e-4)
    assert len(output.logits) == len(shape.windows)


@pytest.mark.parametrize("grid", [(2, 2), (2, 3)], ids=["pooled", "the full map"])
def test_features_computed_online_equal_those_of_the_cache(tmp_path: Path, grid: tuple[int, int]) -> None:
    settings = tiny_settings(tmp_path, grid=grid)
    game = make_game(tmp_path)
    (cache,) = cached_features([game], settings, features=tmp_path / "features", device="cpu").values()
    encoder = FrozenEncoder(
        tiny_encoder(), size=canvas_of(settings).padded, grid=grid, precision="fp32", device="cpu"
    )
    timeline = open_timeline(game.videos[0].path, settings)
    source = features_of(timeline, encoder, settings, decoder="cpu", folder=tmp_path, stop=StopFlag())
    with source as online:
        torch.testing.assert_close(
            torch.from_numpy(np.array(online.features)),
            torch.from_numpy(np.array(cache.features)),
            rtol=2e-3,
            atol=1e-5,
        )
        assert (online.valid == cache.valid).all()
        assert (online.hop, online.num_frames, online.rate) == (cache.hop, cache.num_frames, cache.rate)
        stacker = _stacker(tmp_path, grid=grid)
        difference = stacker.scores(online).values - stacker.scores(cache).values
        assert np.abs(difference).max() < 2e-3


def test_recomputed_activations_give_the_same_gradients(tmp_path: Path) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = _clip_model(_stacker(tmp_path, "blocks3d"), checkpointing=checkpointing).train()
        model(_luma(33), torch.arange(31)).logits.square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        recomputed = gradients[1][name]
        assert gradient is not None, name
        assert recomputed is not None, name
        assert torch.equal(gradient, recomputed), name


@pytest.mark.parametrize("part", ["none", "encoder", "encoder.blocks[:2]"])
def test_frozen_weights_and_all_normalization_statistics_stay_the_same(tmp_path: Path, part: str) -> None:
    stacker = _stacker(tmp_path, "blocks3d")
    model = _clip_model(stacker, freeze=part).train()
    before = {name: value.clone() for name, value in stacker.state_dict().items()}
    groups = layerwise_parameter_groups(stacker, model._settings)
    optimizer = torch.optim.SGD([group for group in groups if group["params"]], lr=1.0)
    model(_luma(33), torch.arange(31)).logits.square().mean().backward()
    optimizer.step()
    changed = {name for name, value in stacker.state_dict().items() if not torch.equal(value, before[name])}
    frozen = {
        "none": (),
        "encoder": ("encoder.",),
        "encoder.blocks[:2]": (
            "encoder.body.conv_stem",
            "encoder.body.bn1",
            "encoder.body.blocks.0.",
            "encoder.body.blocks.1.",
        ),
    }[part]
    for name in before:
        if "running_" in name or "num_batches" in name or name.startswith(frozen or "none"):
            assert name not in changed
    assert any(name.startswith("head.") for name in changed)
    for block in range(2, 5):  # blocks after the frozen ones
        assert any(name.startswith(f"encoder.body.blocks.{block}.") for name in changed) == (
            part != "encoder"
        )


def test_indices_of_stacks_and_windows_move_with_the_model_but_are_not_saved(tmp_path: Path) -> None:
    model = _clip_model(_stacker(tmp_path))
    assert model.state_dict().keys() == {f"stacker.{name}" for name in model.stacker.state_dict()}
    assert {buffer.device.type for buffer in model.to("meta").buffers()} == {"meta"}
    assert model._stacks.is_meta
    assert model._windows.is_meta


def test_a_frozen_encoder_has_no_dropout(tmp_path: Path) -> None:
    model = _clip_model(_stacker(tmp_path), freeze="encoder").train()
    assert not any(module.training for module in model.stacker.encoder.modules())
    assert model.stacker.head.training


def test_every_weight_is_in_one_group_and_earlier_blocks_have_lower_learning_rates(tmp_path: Path) -> None:
    stacker = _stacker(tmp_path)
    settings = FinetuneSettings(encoder_learning_rate=1e-3, head_learning_rate=1e-2, layer_decay=0.5)
    groups = layerwise_parameter_groups(stacker, settings)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(rates) == len(list(stacker.parameters()))
    body: Any = stacker.encoder.body
    last = len(body.blocks) - 1
    assert {rates[id(p)] for p in body.blocks[last].parameters()} == {1e-3}
    assert {rates[id(p)] for p in body.blocks[last - 1].parameters()} == {5e-4}
    assert {rates[id(p)] for p in body.conv_stem.parameters()} == {1e-3 * 0.5 ** (last + 1)}
    assert {rates[id(p)] for p in stacker.head.parameters()} == {1e-2}


@pytest.mark.parametrize("name", ["test_resnet", "resnet18"])
def test_a_resnet_has_a_stem_and_four_stages(name: str) -> None:
    encoder = Encoder(name)
    body: Any = encoder.body
    stem, *stages = encoder_stages(encoder)
    assert stem == [body.conv1, body.bn1, body.act1, body.maxpool]
    assert stages == [[body.layer1], [body.layer2], [body.layer3], [body.layer4]]
    freeze(encoder, "encoder.blocks[:2]")
    trainable = {name.split(".")[1] for name, p in encoder.named_parameters() if p.requires_grad}
    assert trainable == {"layer3", "layer4"}
    with pytest.raises(SettingsError, match="has 4 blocks"):
        freeze(encoder, "encoder.blocks[:5]")


def test_modules_between_blocks_belong_to_the_block_before() -> None:
    body: Any = tiny_encoder().body
    assert encoder_stages(tiny_encoder())[1:] == [[block] for block in body.blocks]
    body = (encoder := Encoder("densenet121")).body
    stem, first, *_, last = encoder_stages(encoder)
    assert stem == [body.features_conv0, body.features_norm0, body.features_pool0]
    assert first == [body.features_denseblock1, body.features_transition1]
    assert last == [body.features_denseblock4, body.features_norm5]


def test_freezing_more_blocks_than_the_encoder_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has 5 blocks"):
        _clip_model(_stacker(tmp_path), freeze="encoder.blocks[:9]")
