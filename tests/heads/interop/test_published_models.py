"""Import of published checkpoints: nothing in them is executed, and those that do not match are refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.media import write_video
from support.published import golden, save_lromul, save_netvlad, save_tdeed, state_of
from torch import Tensor
from typer.testing import CliRunner

import bas
from bas.cli import app
from bas.commands.sharing.import_weights import import_weights
from bas.errors import BasError, DataError, MissingError, SettingsError
from bas.evaluate.dense_scores import SCORES_FILE, read_scores
from bas.heads.interop.published_models import SimplePooling
from bas.heads.models.stacker import FeatureModel, Stacker


def _tdeed(**changes: Any) -> dict[str, Tensor]:
    state = state_of(golden("sgp_mixer"))
    return {key: value for key, value in (state | changes).items() if value is not None}


@pytest.mark.fault("S01", "P28")
def test_a_pickle_that_asks_to_execute_code_is_refused_without_executing_it(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    for zipped in (True, False):
        torch.save(
            {"nn_state_dict": {"classifier.weight": Evil()}},
            tmp_path / "evil.pth",
            _use_new_zipfile_serialization=zipped,
        )
        with pytest.raises(
            DataError, match=r"asks to execute \w+\.mkdir.*nothing in it was executed"
        ) as caught:
            import_weights("lromul", tmp_path / "evil.pth", tmp_path / "model")
        assert "weights_only" not in str(caught.value)  # no advice to read it unsafely
    assert not (tmp_path / "executed").exists()
    assert not (tmp_path / "model").exists()


def test_the_moving_average_is_imported_or_the_raw_weights(tmp_path: Path) -> None:
    state = state_of(golden("stacker_short"))
    file = save_lromul(tmp_path / "model.pth", state)
    for raw, factor in ((False, 1), (True, 2)):
        model = import_weights("lromul", file, tmp_path / str(raw), raw=raw)
        assert torch.equal(
            model.state_dict()["head.classifier.layer.bias"], factor * state["classifier.bias"]
        )


@pytest.mark.parametrize("before", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_prefixes_of_wrappers_are_removed_from_names(tmp_path: Path, before: str) -> None:
    state = state_of(golden("sgp_mixer"))
    file = save_tdeed(tmp_path / "best.pt", {before + key: value for key, value in state.items()})
    model = import_weights("tdeed", file, tmp_path / "model")
    assert torch.equal(model.state_dict()["head.position"], state["temp_enc"])


def test_all_mismatches_of_keys_shapes_and_values_are_listed(tmp_path: Path) -> None:
    state = _tdeed(
        **{
            "_temp_fine._sgp.3.psi.bias": None,
            "_temp_fine._sgp.3.fc.bias": torch.zeros(7),
            "_temp_fine.extra": torch.zeros(2),
            "_temp_fine._sgpMixer.1.fc2.bias": torch.full((64,), torch.nan),
            "_pred_displ._fc_out.bias": torch.zeros(1, dtype=torch.int64),
        }
    )
    with pytest.raises(DataError) as caught:
        import_weights("tdeed", save_tdeed(tmp_path / "best.pt", state), tmp_path / "model")
    message = str(caught.value)
    assert "does not match the model in 5 tensors" in message
    assert "_temp_fine.extra is unknown" in message
    assert "_temp_fine._sgp.3.fc.bias has shape (7,), expected (64,)" in message
    assert "_temp_fine._sgp.3.psi.bias is missing" in message
    assert "_temp_fine._sgpMixer.1.fc2.bias holds non-finite values" in message
    assert "_pred_displ._fc_out.bias has dtype torch.int64, expected torch.float32" in message
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("source", ["lromul", "tdeed", "netvlad"])
def test_the_checkpoint_of_another_system_is_refused(tmp_path: Path, source: Any) -> None:
    for other, save, name in (
        ("lromul", save_lromul, "stacker_short"),
        ("tdeed", save_tdeed, "sgp_mixer"),
        ("netvlad", save_netvlad, "netvlad"),
    ):
        if other != source:
            file = save(tmp_path / other, state_of(golden(name)))
            with pytest.raises(DataError, match=r"Missing \w+ in |Unexpected checkpoint|is not a state dict"):
                import_weights(source, file, tmp_path / "model")


def test_files_that_are_not_checkpoints_are_refused(tmp_path: Path) -> None:
    whole = save_tdeed(tmp_path / "best.pt", _tdeed()).read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("empty", b""), ("text", b"weights")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            DataError, match=f"{name} is not a torch.save checkpoint.*Nothing in it was executed"
        ):
            import_weights("tdeed", tmp_path / name, tmp_path / "model")
    with pytest.raises(MissingError, match="does not exist"):
        import_weights("tdeed", tmp_path / "nothing", tmp_path / "model")
    torch.save([1, 2], tmp_path / "list")
    with pytest.raises(DataError, match="holds a list"):
        import_weights("tdeed", tmp_path / "list", tmp_path / "model")


@settings(deadline=None, max_examples=60)
@given(
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8)
)
@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_refused(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, damage: list[tuple[float, int]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.pt"
    torch.save({"temp_enc": torch.ones(50, 64)}, file, _use_new_zipfile_serialization=zipped)
    content = bytearray(file.read_bytes())
    for position, value in damage:
        content[int(position * len(content))] = value
    file.write_bytes(content)
    with pytest.raises(DataError, match="damaged.pt"):
        import_weights("tdeed", file, file.parent / "no model")


def test_sizes_that_bas_cannot_build_are_refused(tmp_path: Path) -> None:
    file = save_tdeed(tmp_path / "best.pt", _tdeed(**{"_temp_fine._sgp.0.psi.weight": torch.zeros(64, 1, 8)}))
    with pytest.raises(SettingsError, match=r"head\.kernel: found 8, expected an odd number"):
        import_weights("tdeed", file, tmp_path / "model")
    file = save_netvlad(tmp_path / "model.pth.tar", state_of(golden("netvlad")))
    with pytest.raises(SettingsError, match="found 60.0, expected float > 0, <= 30"):
        import_weights("netvlad", file, tmp_path / "model", window_seconds=60.0)
    state = state_of(golden("stacker_short"))
    for shape, error, message in (
        ((2, 7 * 256), SettingsError, "head.frames: found 21, expected one of 15, 33"),
        ((0, 1280), DataError, r"classifier.weight has the shape \(0, 1280\)"),
    ):
        file = save_lromul(tmp_path / "model.pth", state | {"classifier.weight": torch.zeros(shape)})
        with pytest.raises(error, match=message):
            import_weights("lromul", file, tmp_path / "model")


def test_options_of_another_source_are_refused(tmp_path: Path) -> None:
    file = save_tdeed(tmp_path / "best.pt", _tdeed())
    for options in ({"raw": True}, {"pool": "MAX"}, {"window_seconds": 20.0}, {"rate": "5"}):
        with pytest.raises(SettingsError, match="this is a tdeed checkpoint. Leave it out"):
            import_weights("tdeed", file, tmp_path / "model", **options)
    torch.save({"nn_state_dict": state_of(golden("stacker_short"))}, tmp_path / "average.pth")
    with pytest.raises(DataError, match="Missing no_ema_nn_state_dict in "):
        import_weights("lromul", tmp_path / "average.pth", tmp_path / "model", raw=True)


@pytest.mark.parametrize("pool", get_args(SimplePooling))
def test_pooling_without_weights_is_chosen_by_the_user(tmp_path: Path, pool: SimplePooling) -> None:
    generator = torch.Generator().manual_seed(0)
    parts = 2 if pool.endswith("++") else 1
    state = {
        "feature_extractor.weight": torch.randn(512, 24, generator=generator),
        "feature_extractor.bias": torch.randn(512, generator=generator),
        "fc.weight": torch.randn(18, 512 * parts, generator=generator),
        "fc.bias": torch.randn(18, generator=generator),
    }
    file = save_netvlad(tmp_path / "model.pth.tar", state)
    with pytest.raises(DataError, match="has no clusters.*--pool"):
        import_weights("netvlad", file, tmp_path / "model")
    import_weights("netvlad", file, tmp_path / "model", pool=pool, window_seconds=10.0)
    rows = torch.randn(2, 20, 24, generator=generator)
    vectors = rows @ state["feature_extractor.weight"].T + state["feature_extractor.bias"]
    pooled = [half.amax(1) if "MAX" in pool else half.mean(1) for half in vectors.chunk(parts, dim=1)]
    expected = torch.cat(pooled, dim=1) @ state["fc.weight"].T + state["fc.bias"]
    model = bas.load_model(tmp_path / "model")
    assert isinstance(model, FeatureModel)
    with torch.no_grad():
        torch.testing.assert_close(model(rows), expected, rtol=1e-4, atol=1e-3)
    with_clusters = save_netvlad(tmp_path / "clusters.pth.tar", state_of(golden("netvlad")))
    with pytest.raises(DataError, match="so its pooling is NetVLAD. Leave out --pool"):
        import_weights("netvlad", with_clusters, tmp_path / "other", pool=pool)


def _image_style_state(*, clusters: int = 5, dim: int = 12) -> dict[str, Tensor]:
    """State dict of sn-spotting's earlier NetVLAD: a 1 x 1 convolution assigns rows to clusters."""
    generator = torch.Generator().manual_seed(0)
    return {
        "pool_layer.conv.weight": 3 * torch.randn(clusters, dim, 1, 1, generator=generator),
        "pool_layer.centroids": torch.rand(clusters, dim, generator=generator),
        "fc.weight": torch.randn(18, clusters * dim, generator=generator),
        "fc.bias": torch.randn(18, generator=generator),
    }


def test_netvlad_in_image_style_pools_as_published_in_windows_of_20_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = _image_style_state()
    file = save_netvlad(tmp_path / "model.pth.tar", state)
    model = import_weights("netvlad", file, tmp_path / "model")
    assert isinstance(model, FeatureModel)
    assert "at 2 rows/s, in windows of 20 s" in " ".join(capsys.readouterr().err.split())
    rows = torch.randn(2, 40, 12, generator=torch.Generator().manual_seed(1))
    units = rows / rows.norm(dim=2, keepdim=True)
    shares = torch.einsum("btd,kd->btk", units, state["pool_layer.conv.weight"].flatten(1)).softmax(dim=2)
    residuals = units[:, :, None] - state["pool_layer.centroids"]  # one per row and cluster
    sums = (shares[..., None] * residuals).sum(dim=1)
    pooled = (sums / sums.norm(dim=2, keepdim=True)).flatten(1)  # cluster by cluster
    pooled = pooled / pooled.norm(dim=1, keepdim=True)
    with torch.no_grad():
        found = model(rows)
    torch.testing.assert_close(found, pooled @ state["fc.weight"].T + state["fc.bias"], rtol=1e-4, atol=1e-4)


def test_tensors_of_image_style_are_reported_by_their_published_names(tmp_path: Path) -> None:
    wrong = _image_style_state() | {
        "pool_layer.conv.weight": torch.zeros(4, 12, 1, 1),
        "pool_layer.conv.bias": torch.zeros(5),
    }
    with pytest.raises(DataError) as caught:
        import_weights("netvlad", save_netvlad(tmp_path / "model.pth.tar", wrong), tmp_path / "model")
    assert "pool_layer.conv.weight has shape (12, 4), expected (12, 5)" in str(caught.value)
    assert "pool_layer.conv.bias is unknown" in str(caught.value)


@pytest.mark.parametrize(
    ("pool", "options", "window"),
    [
        ("MAX", {}, 40),
        ("MAX++", {}, 30),
        ("AVG", {}, 30),
        ("MAX", {"window_seconds": 10.0, "rate": "5"}, 50),
        ("AVG++", {"rate": "25/2"}, 188),
    ],
)
def test_window_and_rate_are_as_published_or_as_given(
    tmp_path: Path, pool: SimplePooling, options: dict[str, Any], window: int
) -> None:
    state = {"fc.weight": torch.zeros(18, 24), "fc.bias": torch.zeros(18)}
    file = save_netvlad(tmp_path / "model.pth.tar", state)
    model = import_weights("netvlad", file, tmp_path / "model", pool=pool, **options)
    assert len(model.head.offsets) == window
    with pytest.raises(SettingsError, match="frame rate between 1 and 240"):
        import_weights("netvlad", file, tmp_path / "other", pool=pool, rate="fast")


def test_without_a_team_layer_the_columns_are_the_classes(tmp_path: Path) -> None:
    state = _tdeed(**{"_pred_team._fc_out.weight": None, "_pred_team._fc_out.bias": None})
    model = import_weights("tdeed", save_tdeed(tmp_path / "best.pt", state), tmp_path / "model")
    assert len(model.classes) == 12
    with_team = import_weights("tdeed", save_tdeed(tmp_path / "team.pt", _tdeed()), tmp_path / "team")
    assert with_team.classes[:2] == ("PASS-left", "PASS-right")


def test_of_two_label_sets_the_first_is_imported_and_the_skipped_parts_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = _tdeed()
    weight, bias = state.pop("_pred_fine._fc_out.weight"), state.pop("_pred_fine._fc_out.bias")
    joint = {
        "_pred_fine._fc1._fc_out.weight": weight,
        "_pred_fine._fc1._fc_out.bias": bias,
        "_pred_fine._fc2._fc_out.weight": torch.zeros(18, 64),
        "_pred_fine._fc2._fc_out.bias": torch.zeros(18),
    }
    prefixed = {f"module.{key}": value for key, value in (state | joint).items()}
    torch.save(prefixed | {"module._features.stem.weight": torch.zeros(3)}, tmp_path / "joint.pt")
    model = import_weights("tdeed", tmp_path / "joint.pt", tmp_path / "model")
    output = " ".join(capsys.readouterr().err.split())
    assert "the output layer of the second label set (2 tensors)" in output
    assert "the 2D network with its shift modules (1 tensor)" in output
    assert torch.equal(model.state_dict()["head.classifier.layer.weight"], weight)


def test_an_unknown_number_of_classes_requires_class_names(tmp_path: Path) -> None:
    file = save_netvlad(tmp_path / "model.pth.tar", state_of(golden("netrvlad_plus_plus")))
    with pytest.raises(SettingsError, match="3 classes.*--class NAME for each"):
        import_weights("netvlad", file, tmp_path / "model")
    with pytest.raises(SettingsError, match="--class gives 2"):
        import_weights("netvlad", file, tmp_path / "model", classes=("A", "B"))
    command = [
        "import-weights",
        "netvlad",
        str(file),
        "--out",
        str(tmp_path / "model"),
        "--window-seconds",
        "10",
    ]
    result = CliRunner().invoke(app, [*command, "--class", "A", "--class", "B", "--class", "C"])
    assert result.exit_code == 0, result.output
    assert bas.load_model(tmp_path / "model").classes == ("A", "B", "C")
    with pytest.raises(SettingsError, match="already holds a model"):
        import_weights("netvlad", file, tmp_path / "model", classes=("A", "B", "C"))


def test_a_model_without_an_encoder_is_refused_for_videos(tmp_path: Path) -> None:
    model = import_weights("tdeed", save_tdeed(tmp_path / "best.pt", _tdeed()), tmp_path / "model")
    assert isinstance(model, FeatureModel)
    (tmp_path / "match.mp4").touch()
    for command in (
        ["predict", str(tmp_path / "match.mp4"), "--model", str(tmp_path / "model")],
        ["eval", "--run", str(tmp_path / "model"), "--data", str(tmp_path)],
    ):
        result = CliRunner().invoke(app, command)
        assert isinstance(result.exception, BasError)
        assert "has no encoder" in str(result.exception)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "feature vectors of another network" in card
    assert "bas predict" not in card


def test_an_imported_stacker_predicts_on_any_video_with_its_own_encoder(tmp_path: Path) -> None:
    video = write_video(tmp_path / "match.mp4", 6, size=(1280, 720))
    import_weights(
        "lromul", save_lromul(tmp_path / "model.pth", state_of(golden("stacker_short"))), tmp_path / "model"
    )
    _pin_precision(tmp_path / "model", "fp32")
    command = ["predict", str(video), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "spots")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, (result.output, result.exception)
    (path,) = (tmp_path / "spots").rglob("match.h5")
    (scores,) = (tmp_path / "spots").rglob(SCORES_FILE)
    model, rows = bas.load_model(tmp_path / "model"), bas.open_cache(path).features
    assert isinstance(model, Stacker)
    with av.open(str(video)) as container:
        luma = torch.stack([torch.from_numpy(_plane(frame)) for frame in container.decode(video=0)])
    window = torch.from_numpy(rows[(1 + model.head.offsets).clip(0, 2)]).float()
    with torch.no_grad():
        (middle,) = model.encode(luma[None, [0, 2, 4]].float() / 255).numpy()
        (output,) = torch.as_tensor(model.apply_head(window[None])).sigmoid().numpy()
    noise = 1e-5 * np.abs(middle).max()  # float32 rounding, in feature maps that reach 100 with these weights
    np.testing.assert_allclose(rows[1], middle, rtol=1e-3, atol=noise)  # float16 has 11 bits
    np.testing.assert_allclose(read_scores(scores)[1].values[2], output, rtol=1e-4, atol=1e-6)


def _pin_precision(model: Path, precision: str) -> None:
    """Make extraction use this precision on every machine, whatever its processor supports."""
    config = json.loads((model / "config.json").read_text())
    config["settings"]["extract"]["precision"] = precision
    (model / "config.json").write_text(json.dumps(config))


def _plane(frame: av.VideoFrame) -> np.ndarray:
    """Luma plane as decoded; a conversion would stretch its range."""
    plane = np.asarray(frame.planes[0]).reshape(frame.height, -1)
    return plane[:, : frame.width].copy()
