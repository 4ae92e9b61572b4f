from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from support.extracting import tiny_encoder
from timm.layers.conv2d_same import Conv2dSame
from torch import nn
from torch.nn import functional

from bas.config.base import Precision
from bas.errors import SettingsError
from bas.extract.encode import device as precision_module
from bas.extract.encode.device import best_precision
from bas.extract.encode.encoder import Encoder, FrozenEncoder, rows_per_call
from bas.extract.encode.folding import DataFlow, fold_same_paddings

FULLY_FOLDED = ["test_efficientnet", "tf_efficientnetv2_b0", "resnet18", "regnety_002"]
PARTLY_FOLDED = ["repvgg_a0", "test_nfnet", "test_convnext", "resnetv2_18"]


def with_random_statistics(name: str, *, normalize: bool = False) -> Encoder:
    """An encoder whose normalizations are all far from the identity."""
    torch.manual_seed(0)
    encoder = Encoder(name, normalize=normalize).eval()
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.1)
    return encoder


def frozen(encoder: Encoder, precision: Precision = "fp32") -> FrozenEncoder:
    return FrozenEncoder(encoder, size=(64, 96), grid=(2, 3), precision=precision, device="cpu")


@pytest.fixture
def stacks() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 64, 96), generator=torch.Generator().manual_seed(1)).float()


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("name", FULLY_FOLDED + PARTLY_FOLDED)
def test_the_frozen_encoder_equals_the_encoder_to_1e_5(
    name: str, normalize: bool, stacks: torch.Tensor
) -> None:
    encoder = with_random_statistics(name, normalize=normalize)
    with torch.no_grad():
        expected = functional.adaptive_avg_pool2d(encoder(stacks / 255), (2, 3))
    assert (frozen(encoder)(stacks) - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("size", [(64, 96), (65, 96), (63, 97)])
@pytest.mark.parametrize("name", ["tf_efficientnetv2_b0", "tf_efficientnet_lite0", "tf_mixnet_s"])
def test_the_padding_of_tensorflow_is_folded_without_a_change(name: str, size: tuple[int, int]) -> None:
    body = with_random_statistics(name).body
    folded = deepcopy(body)
    fold_same_paddings(folded, DataFlow(folded, size))
    assert any(isinstance(module, Conv2dSame) and module.groups > 1 for module in body.modules())
    assert not any(isinstance(module, Conv2dSame) and module.groups > 1 for module in folded.modules())
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = body(picture)[-1]
        assert (folded(picture)[-1] - expected).norm() <= 1e-5 * expected.norm()


def test_normalization_uses_the_mean_and_deviation_of_timm_s_configuration(stacks: torch.Tensor) -> None:
    plain, normalized = with_random_statistics("resnet18"), with_random_statistics("resnet18", normalize=True)
    mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        assert torch.equal(normalized(stacks / 255), plain((stacks / 255 - mean) / std))
    assert normalized.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("name", FULLY_FOLDED)
def test_no_normalization_remains_where_all_can_be_folded(name: str) -> None:
    assert not [module for module in frozen(Encoder(name)).modules() if isinstance(module, nn.BatchNorm2d)]


def test_freezing_does_not_change_the_encoder_itself(stacks: torch.Tensor) -> None:
    encoder = tiny_encoder()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    frozen(encoder, "bf16")(stacks.bfloat16())
    after = encoder.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_bf16_represents_bytes_exactly() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(values.bfloat16().int(), values.int())


def test_bf16_rows_have_the_direction_of_fp32_rows(stacks: torch.Tensor) -> None:
    encoder = tiny_encoder()
    exact, rounded = frozen(encoder)(stacks), frozen(encoder, "bf16")(stacks.bfloat16())
    assert rounded.dtype == torch.float32
    assert functional.cosine_similarity(exact.flatten(1), rounded.flatten(1)).min() > 0.99


def test_convolutions_in_fp32_are_never_rounded_to_tf32() -> None:
    before, seen = torch.backends.cudnn.allow_tf32, []
    ready = frozen(tiny_encoder())
    ready.body.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    ready(torch.zeros(1, 3, 64, 96))
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 == before


def test_width_is_the_number_of_channels(stacks: torch.Tensor) -> None:
    encoder = tiny_encoder()
    assert encoder.width == encoder(stacks).shape[1] == frozen(encoder)(stacks).shape[1] == 64


def test_an_unknown_encoder_is_refused_with_a_remedy() -> None:
    with pytest.raises(SettingsError, match=r"Invalid extract.encoder=resnet81: .*any timm model"):
        Encoder("resnet81")


def test_a_cpu_gets_fewer_large_pictures_per_call() -> None:
    assert rows_per_call(30, size=(736, 1280), device="cpu") == 1
    assert rows_per_call(30, size=(128, 224), device="cpu") == 30
    assert rows_per_call(30, size=(736, 1280), device="cuda") == 30


def test_the_processor_decides_what_auto_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision_module, "_CPU_INFO", info)
    assert best_precision("auto", "cpu") == "fp32"
    info.write_text("flags : avx512f amx_bf16 amx_tile")
    assert best_precision("auto", "cpu") == "bf16"
    assert best_precision("fp32", "cpu") == "fp32"
    info.write_text("flags : avx512f avx2")
    assert best_precision("auto", "cpu") == "fp32"
