"""Parity with published heads: with their imported weights, the same inputs give the same outputs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from einops import rearrange
from support.published import assert_matches, golden, save_lromul, save_netvlad, save_tdeed, state_of

import bas
from bas.commands.sharing.import_weights import import_weights
from bas.config import NetVLADSettings, SGPSettings
from bas.extract.encode.encoder import Encoder
from bas.heads.models.blocks3d import Blocks3D
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Output, Task, displace
from bas.heads.models.sgp import EncoderDecoder, SGPLayer, SGPMixer
from bas.heads.models.stacker import FeatureModel, Stacker


@pytest.mark.parametrize(
    ("name", "frames", "parameters"), [("stacker_short", 15, 6_770_547), ("stacker_long", 33, 6_801_789)]
)
def test_the_stacker_matches_the_winner_of_2023(
    tmp_path: Path, name: str, frames: int, parameters: int
) -> None:
    reference = golden(name)
    import_weights("lromul", save_lromul(tmp_path / "model.pth", state_of(reference)), tmp_path / "model")
    model = bas.load_model(tmp_path / "model")
    assert isinstance(model, Stacker)
    assert model.frame_offsets == tuple(range(1 - frames, frames, 2))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    shape, seed = reference["input"], reference["input"]["seed"]
    luma = torch.rand(
        shape["b"], shape["frames"], shape["h"], shape["w"], generator=torch.Generator().manual_seed(seed)
    )
    luma[shape["b"] // 2 :, ::3] *= 0.3
    with torch.no_grad():
        assert_matches(model(luma), reference["logits"])
        _assert_maps_match(model, luma, reference)


def _assert_maps_match(model: Stacker, luma: torch.Tensor, reference: dict[str, object]) -> None:
    head = model.head
    assert isinstance(head, Blocks3D)
    encoded = model.encode(rearrange(luma, "b (t three) y x -> (b t) three y x", three=3))
    assert_matches(encoded, reference["encoder"])
    projected = rearrange(head.projection(encoded), "(b t) c y x -> b t c y x", b=len(luma))
    assert_matches(projected, reference["projected"])
    assert_matches(head.temporal_features(projected), reference["temporal"])


def test_the_temporal_module_matches_tdeed(tmp_path: Path) -> None:
    reference = golden("sgp_mixer")
    import_weights("tdeed", save_tdeed(tmp_path / "best.pt", state_of(reference)), tmp_path / "model")
    model = bas.load_model(tmp_path / "model")
    assert isinstance(model, FeatureModel)
    config, seed = reference["config"], reference["input"]["seed"]
    rows = torch.randn(
        reference["input"]["b"], config["clip"], config["dim"], generator=torch.Generator().manual_seed(seed)
    )
    with torch.no_grad():
        output = model(rows)
        exact = model.double()(rows.double())
    assert isinstance(output, Output)
    assert isinstance(exact, Output)
    for one in (output, exact):
        assert one.displacement is not None
        assert_matches(one.logits, reference["class_logits"])
        assert_matches(one.displacement[..., 0], reference["displacement"])
    # Team logits reach 185 while some are near 0. There the float32 error is up to 3e-4, depending on the
    # CPU's order of summation, and only float64 meets the tolerance on every CPU.
    assert exact.team is not None
    assert output.team is not None
    assert_matches(exact.team, reference["team_logits"])
    torch.testing.assert_close(output.team, exact.team.float(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["netvlad", "netvlad_plus_plus", "netrvlad_plus_plus"])
def test_the_pooling_matches_netvlad(tmp_path: Path, name: str) -> None:
    reference = golden(name)
    config = reference["config"]
    classes = [f"CLASS {k}" for k in range(config["classes"])]
    import_weights(
        "netvlad",
        save_netvlad(tmp_path / "model.pth.tar", state_of(reference)),
        tmp_path / "model",
        classes=classes,
        window_seconds=float(config["window_s"]),
    )
    model = bas.load_model(tmp_path / "model")
    rows = torch.randn(
        reference["input"]["b"],
        config["window_s"] * config["fps"],
        config["input"],
        generator=torch.Generator().manual_seed(reference["input"]["seed"]),
    )
    assert isinstance(model, FeatureModel)
    with torch.no_grad():
        assert_matches(model(rows).sigmoid(), reference["probabilities"])


def test_scores_move_by_displacement_as_in_tdeed() -> None:
    reference = golden("displacement_decoding")
    generator = torch.Generator().manual_seed(reference["input"]["seed"])
    logits = torch.randn(2, 60, 13, generator=generator) * 2
    displacement = torch.randn(2, 60, generator=generator) * 4
    moved = displace(logits.softmax(dim=-1), displacement[..., None])
    assert_matches(moved, reference["output"])
    torch.testing.assert_close(float(moved.double().sum()), reference["output"]["sum"], rtol=1e-6, atol=0)


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("channels", "count"), [(368, 9_452_816), (768, 40_617_216), (192, 2_634_048)])
def test_the_encoder_decoder_has_the_published_size(channels: int, count: int) -> None:
    with torch.device("meta"):
        assert _count(EncoderDecoder(channels, levels=2, kernel=9, k=4)) == count


def test_a_layer_and_a_mixer_have_the_published_size() -> None:
    assert _count(SGPLayer(368, kernel=9, k=4)) == 1_110_992
    assert _count(SGPMixer(368, kernel=9, k=4)) == 1_948_928


@pytest.mark.parametrize(
    ("pool", "width", "count"),
    [
        ("NetVLAD++", 512, 655_378),
        ("NetVLAD++", 2048, 1_704_466),
        ("NetRVLAD++", 512, 622_610),
        ("MAX++", 512, 18_450),
        ("AVG++", 512, 18_450),
    ],
)
def test_poolings_have_the_published_size(pool: str, width: int, count: int) -> None:
    settings = NetVLADSettings.model_validate(
        {"pool": pool, "dim": 512, "clusters": 32, "window_seconds": 15, "scoring": "sigmoid+background"}
    )
    assert _count(build_head(settings, (width, 1, 1), Task(17), row_rate=Fraction(2))) == count


def test_the_encoder_of_the_stacker_has_the_published_size() -> None:
    assert _count(Encoder("tf_efficientnetv2_b0.in1k")) == 5_610_384


def test_a_stacker_of_12_classes_and_15_frames_has_the_published_size(tmp_path: Path) -> None:
    reference = golden("stacker_short")
    reference["state_dict"] |= {"classifier.weight": [12, 1280], "classifier.bias": [12]}
    model = import_weights(
        "lromul", save_lromul(tmp_path / "model.pth", state_of(reference)), tmp_path / "model"
    )
    assert _count(model) == 6_783_357


def test_long_windows_have_the_published_length() -> None:
    settings = SGPSettings(dim=16, kernel=5)
    head = build_head(settings, (16, 1, 1), Task(2), row_rate=Fraction(25, 2))
    assert {m.kernel_size for m in head.modules() if isinstance(m, torch.nn.Conv1d)} == {(1,), (5,), (25,)}
