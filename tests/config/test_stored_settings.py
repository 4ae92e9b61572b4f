"""Settings that were stored before keys were renamed; tests/golden/format_1 holds files of that version."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import bas
from bas.config import Pipeline, PostprocessSettings, load, read_yaml
from bas.config.renamed import as_in_run_names, upgrade
from bas.errors import SettingsError
from bas.evaluate.dense_scores import SCORES_FILE
from bas.evaluate.formats.soccernet import RESULTS_FILE
from bas.heads.inference.provenance import provenance_of
from bas.heads.interop.model_folder import FORMAT, load_settings, read_config, write_config
from bas.types import Game

_STORED = Path(__file__).parents[1] / "golden" / "format_1"
_GAME = Game("another match", (), None)

_OLD_KEYS = {
    "fit.floor": "fit.min_lr_ratio",
    "fit.start_from": "fit.init_from",
    "fit.clear_window": "fit.hard_negative_margin",
    "finetune.floor": "finetune.min_lr_ratio",
    "peaks.height": "peaks.min_score",
    "peaks.distance": "peaks.min_distance",
    "peaks.classes.PASS.height": "peaks.classes.PASS.min_score",
    "peaks.classes.PASS.distance": "peaks.classes.PASS.min_distance",
}


def _settings() -> Pipeline:
    """What the files were written with."""
    return load(
        "finetune",
        head="linear",
        sets=[
            *("extract.height=224", "extract.width=398", "extract.grid=[3,5]"),
            *("fit.min_lr_ratio=0.05", "fit.init_from=runs/older", "fit.hard_negative_margin=31"),
            *("finetune.min_lr_ratio=0.2", "peaks.min_score=0.1", "peaks.min_distance=12"),
            "peaks.classes={PASS: {method: hard, sigma: 2.0, min_score: 0.3, min_distance: 5}}",
        ],
    )


def _tuned() -> PostprocessSettings:
    return PostprocessSettings.model_validate(
        {
            "method": "quadratic",
            "sigma": 6.0,
            "min_score": 0.01,
            "min_distance": 24,
            "classes": {"DRIVE": {"min_score": 0.4, "min_distance": 9}},
            "confidences": {"PASS": [[0, 0], [0.5, 0.25], [1, 1]]},
            "thresholds": {"PASS": 0.4},
        }
    )


def test_a_model_folder_of_format_1_has_the_same_settings_under_the_new_names() -> None:
    model = bas.load_model(_STORED)
    assert model.settings == _settings().model_copy(update={"peaks": _tuned()})
    assert load_settings(_STORED) == _settings()  # without the tuned post-processing


def test_a_config_of_format_1_is_written_back_in_the_new_format(tmp_path: Path) -> None:
    write_config(tmp_path, read_config(_STORED))
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["format"] == FORMAT == 2
    assert read_config(tmp_path) == read_config(_STORED) == written
    assert load_settings(tmp_path) == _settings()


def test_the_settings_of_a_run_of_format_1_serve_as_a_preset(tmp_path: Path) -> None:
    shutil.copy(_STORED / "settings.yaml", tmp_path)
    (tmp_path / "STATUS.json").write_text('{"state": "done", "code": 0, "reason": ""}')
    assert load("finetune", preset=str(tmp_path / "settings.yaml")) == _settings()


def test_unfinished_runs_of_format_1_are_found_by_the_names_their_settings_had() -> None:
    """The name of a run is a hash of its settings under these names."""
    settings = _settings().model_dump(mode="json")
    assert as_in_run_names(settings) == read_yaml(_STORED / "settings.yaml")
    assert Pipeline.model_validate(upgrade(as_in_run_names(settings))) == _settings()


def test_a_later_setting_counts_in_the_name_of_a_run_only_where_it_changes_something() -> None:
    settings = _settings().model_dump(mode="json")
    changed = settings | {"extract": settings["extract"] | {"normalize": True}}
    assert as_in_run_names(changed) != as_in_run_names(settings)
    assert as_in_run_names(changed)["extract"]["normalize"] is True


@pytest.mark.parametrize("changed", [None, "fit", "peaks"])
def test_predictions_of_format_1_count_as_long_as_nothing_else_differs(
    tmp_path: Path, changed: str | None
) -> None:
    for name in ("config.json", "made.json", "model.safetensors"):
        shutil.copy(_STORED / name, tmp_path)
    for name in (SCORES_FILE, RESULTS_FILE):
        (tmp_path / name).touch()
    config = read_config(_STORED)
    if changed == "fit":
        config["settings"]["fit"]["min_lr_ratio"] = 0.06
    if changed == "peaks":
        config["settings"]["peaks"]["min_score"] = 0.02
    write_config(tmp_path, config)
    provenance = provenance_of(tmp_path, flip=False)
    assert provenance.has_scores(tmp_path, _GAME) == (changed != "fit")
    assert provenance.has_detections(tmp_path, _GAME) == (changed is None)


@pytest.mark.parametrize(("old", "new"), _OLD_KEYS.items())
def test_a_renamed_key_is_refused_with_its_new_name(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=rf"the command line:\n  {old}: this setting is now called {new}\n"
    ):
        load("finetune", sets=[f"{old}=1"])
    preset = tmp_path / "settings.yaml"  # a file of that name, but not of a run
    nested = "1"
    for part in reversed(old.split(".")):
        nested = f"{{{part}: {nested}}}"
    preset.write_text(nested)
    assert read_yaml(preset)
    with pytest.raises(SettingsError, match=f"settings.yaml:\n  {old}: this setting is now called {new}\n"):
        load("finetune", preset=str(preset))
