"""`bas tune` on real caches: it repeats the search of training, on held-out matches only."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.runs import games_of, small_run

from bas.commands.training.tune import tune_run
from bas.errors import DataError, MissingError, SettingsError
from bas.heads.inference.ensemble import load_video_model
from bas.synthetic import synthesize
from bas.workspace import Workspace


@pytest.fixture(scope="module")
def run(workspace: Workspace) -> Path:
    return small_run(workspace)


def test_tuning_a_finished_run_repeats_the_result_of_its_training(
    workspace: Workspace, run: Path, tmp_path: Path
) -> None:
    again = shutil.copytree(run, tmp_path / "again")
    config = json.loads((again / "config.json").read_text())
    found = tune_run(again, workspace)
    assert json.loads((again / "config.json").read_text()) == config
    assert config["tuning"]["mAP@1"] == found.mean_after
    assert "**Post-processing**: " in (again / "README.md").read_text()


def test_a_model_without_tuning_loads_and_can_be_tuned(
    workspace: Workspace, run: Path, tmp_path: Path
) -> None:
    old = shutil.copytree(run, tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    tuning = config.pop("tuning")
    config["settings"]["peaks"] = {"sigma": 3.0, "min_score": 0.02, "min_distance": 8}
    (old / "config.json").write_text(json.dumps(config))
    assert load_video_model(old, device="cpu").base_postprocess is None
    assert tune_run(old, workspace).mean_after == tuning["mAP@1"]


def test_tuning_on_test_or_training_matches_is_refused(
    workspace: Workspace, run: Path, tmp_path: Path
) -> None:
    changed_run = shutil.copytree(run, tmp_path / "validated_on")
    config = json.loads((changed_run / "config.json").read_text())
    config["tuning"]["games"] = [game.id for game in games_of(workspace, "test")]
    (changed_run / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="would make the test score worthless"):
        tune_run(changed_run, workspace)
    config["tuning"]["games"] = config["learned"]
    (changed_run / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="was trained on .* cannot be tuned on them"):
        tune_run(changed_run, workspace)
    config["tuning"]["games"] = ["a/match/that is gone"]
    (changed_run / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingError, match="was validated on a/match/that is gone, not found in"):
        tune_run(changed_run, workspace)


def test_tuning_on_matches_with_other_classes_is_refused(
    run: Path, workspace: Workspace, tmp_path: Path
) -> None:
    """There would be no spots of the model's classes."""
    synthesize(tmp_path / "v2", matches=3, minutes=0.1, size="64x32", layout="soccernet-v2", seed=1)
    elsewhere = replace(workspace, data=tmp_path / "v2")
    before = (run / "config.json").read_bytes()
    with pytest.raises(DataError, match="The model in .* predicts PASS, .* is labeled with .*Penalty"):
        tune_run(run, elsewhere)
    assert (run / "config.json").read_bytes() == before
