"""Published checkpoints are read without executing anything, and refused where they do not fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from published import golden, save_lromul, save_netvlad, save_tdeed, state_of
from torch import Tensor
from typer.testing import CliRunner

import bas
from bas.cli import app
from bas.errors import BasError, DataError, MissingError, SettingsError
from bas.heads.foreign import import_weights
from bas.heads.stacker import RowModel


def _tdeed(**changes: Any) -> dict[str, Tensor]:
    state = state_of(golden("sgp_mixer"))
    return {key: value for key, value in (state | changes).items() if value is not None}


def test_a_pickle_that_wants_to_execute_something_is_refused_and_executes_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"nn_state_dict": {"classifier.weight": Evil()}}, tmp_path / "evil.pth")
    with pytest.raises(DataError, match="Nothing of it was executed"):
        import_weights("lromul", tmp_path / "evil.pth", tmp_path / "model")
    assert not (tmp_path / "executed").exists()
    assert not (tmp_path / "model").exists()


def test_the_moving_average_is_taken_or_the_weights_themselves(tmp_path: Path) -> None:
    state = state_of(golden("stacker_short"))
    file = save_lromul(tmp_path / "model.pth", state)
    for raw, factor in ((False, 1), (True, 2)):
        model = import_weights("lromul", file, tmp_path / str(raw), raw=raw)
        assert torch.equal(
            model.state_dict()["head.classifier.layer.bias"], factor * state["classifier.bias"]
        )


def test_keys_and_shapes_that_do_not_fit_are_all_listed(tmp_path: Path) -> None:
    state = _tdeed(
        **{
            "_temp_fine._sgp.3.psi.bias": None,
            "_temp_fine._sgp.3.fc.bias": torch.zeros(7),
            "_temp_fine.extra": torch.zeros(2),
        }
    )
    with pytest.raises(DataError) as caught:
        import_weights("tdeed", save_tdeed(tmp_path / "best.pt", state), tmp_path / "model")
    message = str(caught.value)
    assert "does not fit, in 3 tensors" in message
    assert "_temp_fine.extra is unknown" in message
    assert "_temp_fine._sgp.3.fc.bias is (7,), wanted is (64,)" in message
    assert "head.network.up.0.windows.gate.bias is missing" in message
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
            with pytest.raises(DataError, match=r"has no |is missing, and its|no state dict"):
                import_weights(source, file, tmp_path / "model")


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    whole = save_tdeed(tmp_path / "best.pt", _tdeed()).read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("empty", b""), ("text", b"weights")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="Nothing of it was executed"):
            import_weights("tdeed", tmp_path / name, tmp_path / "model")
    with pytest.raises(MissingError, match="is not there"):
        import_weights("tdeed", tmp_path / "nothing", tmp_path / "model")
    torch.save([1, 2], tmp_path / "list")
    with pytest.raises(DataError, match="holds a list"):
        import_weights("tdeed", tmp_path / "list", tmp_path / "model")


def test_without_a_team_layer_the_columns_are_the_classes(tmp_path: Path) -> None:
    state = _tdeed(**{"_pred_team._fc_out.weight": None, "_pred_team._fc_out.bias": None})
    model = import_weights("tdeed", save_tdeed(tmp_path / "best.pt", state), tmp_path / "model")
    assert len(model.classes) == 12
    with_team = import_weights("tdeed", save_tdeed(tmp_path / "team.pt", _tdeed()), tmp_path / "team")
    assert with_team.classes[:2] == ("PASS-left", "PASS-right")


def test_of_two_label_sets_the_first_is_taken_and_the_rest_is_named(
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
    told = " ".join(capsys.readouterr().err.split())
    assert "the output layer of the second label set (2 tensors)" in told
    assert "the 2D network with its shift modules (1 tensors)" in told
    assert torch.equal(model.state_dict()["head.classifier.layer.weight"], weight)


def test_classes_that_no_dataset_has_need_names(tmp_path: Path) -> None:
    file = save_netvlad(tmp_path / "model.pth.tar", state_of(golden("netrvlad_plus_plus")))
    with pytest.raises(SettingsError, match="3 classes.*--class NAME for each"):
        import_weights("netvlad", file, tmp_path / "model")
    with pytest.raises(SettingsError, match="--class names 2"):
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
    with pytest.raises(SettingsError, match="holds a model already"):
        import_weights("netvlad", file, tmp_path / "model", classes=("A", "B", "C"))


def test_a_model_without_an_encoder_does_not_read_videos(tmp_path: Path) -> None:
    model = import_weights("tdeed", save_tdeed(tmp_path / "best.pt", _tdeed()), tmp_path / "model")
    assert isinstance(model, RowModel)
    (tmp_path / "match.mp4").touch()
    for command in (
        ["predict", str(tmp_path / "match.mp4"), "--model", str(tmp_path / "model")],
        ["eval", "--run", str(tmp_path / "model"), "--data", str(tmp_path)],
    ):
        result = CliRunner().invoke(app, command)
        assert isinstance(result.exception, BasError)
        assert "has no encoder" in str(result.exception)
