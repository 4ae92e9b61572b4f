"""`bas merge` on real caches: the ensemble scores as tuned, and what cannot be averaged is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.runs import games_of, small_run

from bas.commands.scoring.compare import compare
from bas.commands.scoring.evaluate import evaluate_run
from bas.commands.training.merge import merge
from bas.commands.training.tune import tune_run
from bas.errors import DataError, SettingsError
from bas.heads.inference.predictor import load_predictor
from bas.synthetic import synthesize
from bas.workspace import Workspace


@pytest.fixture(scope="module")
def run(workspace: Workspace) -> Path:
    return small_run(workspace)


@pytest.fixture(scope="module")
def other(workspace: Workspace) -> Path:
    """A run of another head on rows of another hop."""
    return small_run(workspace, "linear", "extract.hop=3")


@pytest.fixture(scope="module")
def merged(workspace: Workspace, run: Path, other: Path) -> Path:
    return merge([run, other], workspace, out=workspace.runs / "merged")


def test_a_moved_ensemble_scores_the_mean_of_its_members(
    workspace: Workspace, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    """With weights set by hand: on matches this small, tuning may give one member all the weight."""
    moved = shutil.copytree(merged, tmp_path / "elsewhere")
    for member in (run, other):
        shutil.copytree(member, moved / "members" / member.name)
    config = json.loads((moved / "config.json").read_text())
    assert sum(member["weight"] for member in config["members"]) == pytest.approx(1)
    config["members"] = [
        {"folder": f"members/{run.name}", "weight": 0.25},
        {"folder": f"members/{other.name}", "weight": 0.75},
    ]
    (moved / "config.json").write_text(json.dumps(config))
    games = games_of(workspace, "test")
    one, two, mean = (
        load_predictor(folder, workspace).dense_scores(games, split="test")[games[0].id][1].values
        for folder in (run, other, moved)
    )
    np.testing.assert_allclose(mean, 0.25 * one + 0.75 * two, atol=1e-6)


def test_an_ensemble_scores_on_valid_what_tuning_found_and_can_be_compared(
    workspace: Workspace, run: Path, merged: Path
) -> None:
    tuning = json.loads((merged / "config.json").read_text())["tuning"]
    assert evaluate_run(merged, workspace, split="valid").mean_ap == pytest.approx(tuning["mAP@1"], abs=1e-12)
    assert tune_run(merged, workspace).mean_after == tuning["mAP@1"]
    comparison = compare([run, merged], workspace, split="test")
    assert comparison.results[1].mean_ap == pytest.approx(
        evaluate_run(merged, workspace, split="test").mean_ap, abs=1e-12
    )


def test_merging_into_a_folder_that_holds_something_else_is_refused(
    workspace: Workspace, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    kept = shutil.copytree(run, tmp_path / "kept")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for folder in (kept, tmp_path / "notes"):
        with pytest.raises(SettingsError, match="Choose another folder: --out FOLDER"):
            merge([run, other], workspace, out=folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    changed = (merged / "config.json").stat().st_mtime_ns
    assert merge([run, other], workspace, out=merged) == merged  # finished already
    (merged / "clips").mkdir()  # as bas clips leaves them
    assert merge([run, other], workspace, out=merged) == merged
    assert (merged / "config.json").stat().st_mtime_ns == changed


def test_incompatible_runs_are_not_merged(
    workspace: Workspace, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="two or more different runs"):
        merge([run], workspace, out=tmp_path / "out")
    with pytest.raises(SettingsError, match="two or more different runs"):
        merge([run, other, run], workspace, out=tmp_path / "out")
    with pytest.raises(SettingsError, match="is itself a merge"):
        merge([run, merged], workspace, out=tmp_path / "out")
    with pytest.raises(SettingsError, match=r"is already a merge of .*\. Choose another folder"):
        merge([other, run], workspace, out=merged)
    folds = shutil.copytree(other, tmp_path / "fold")
    config = json.loads((folds / "config.json").read_text())
    config["tuning"]["games"] = config.pop("learned")
    (folds / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="have different validation matches"):
        merge([run, folds], workspace, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_merging_on_matches_with_other_classes_is_refused(
    run: Path, other: Path, workspace: Workspace, tmp_path: Path
) -> None:
    """There would be no spots of the models' classes."""
    synthesize(tmp_path / "v2", matches=3, minutes=0.1, size="64x32", layout="soccernet-v2", seed=1)
    with pytest.raises(DataError, match="The model in .* predicts PASS, .* is labeled with .*Penalty"):
        merge([run, other], replace(workspace, data=tmp_path / "v2"), out=tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
