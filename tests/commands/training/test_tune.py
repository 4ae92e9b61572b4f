"""Post-processing, flip averaging and merging on real caches."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bas
from bas.commands.scoring.compare import compare
from bas.commands.scoring.evaluate import evaluate_run
from bas.commands.training.fit_head import fit
from bas.commands.training.merge import merge
from bas.commands.training.tune import tune_run
from bas.config import load
from bas.dataset import open_dataset
from bas.errors import DataError, MissingError, SettingsError
from bas.evaluate.postprocess.search import Tuning
from bas.evaluate.scores import read_scores
from bas.evaluate.scoring.score import Evaluation
from bas.files import atomic_write
from bas.heads.inference.ensemble import flip_averaged, load_video_model
from bas.heads.inference.predictor import load_predictor
from bas.heads.inference.provenance import Provenance, provenance_of
from bas.synthetic import synthesize
from bas.types import Game, Video
from bas.workspace import Workspace

_SETS = ("fit.epochs=1", "fit.samples=64", "fit.batch=32", "extract.grid=[2,3]")


@pytest.fixture(scope="module")
def run(workspace: Workspace) -> Path:
    return _fit(workspace, "netvlad")


@pytest.fixture(scope="module")
def other(workspace: Workspace) -> Path:
    """A run of another head on rows of another hop."""
    return _fit(workspace, "linear", "extract.hop=3")


@pytest.fixture(scope="module")
def merged(workspace: Workspace, run: Path, other: Path) -> Path:
    return _merge([run, other], workspace, workspace.runs / "merged")


def test_tuning_a_finished_run_repeats_the_result_of_its_training(
    workspace: Workspace, run: Path, tmp_path: Path
) -> None:
    again = shutil.copytree(run, tmp_path / "again")
    config = json.loads((again / "config.json").read_text())
    found = _tune(again, workspace)
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
    assert _tune(old, workspace).mean_after == tuning["mAP@1"]


def test_eval_prints_the_score_before_tuning_next_to_the_tuned_one(
    workspace: Workspace, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = _evaluate(run, workspace)
    printed = capsys.readouterr()
    assert "before tuning" in printed.out
    assert "are not held-out" not in " ".join(printed.err.split())
    (line,) = [line for line in printed.out.splitlines() if line.startswith("tuned on the validation games")]
    assert f"{100 * evaluation.mean_ap:.2f}" in line


def test_tuning_on_test_or_training_matches_is_refused(
    workspace: Workspace, run: Path, tmp_path: Path
) -> None:
    changed_run = shutil.copytree(run, tmp_path / "validated_on")
    config = json.loads((changed_run / "config.json").read_text())
    config["tuning"]["games"] = [game.id for game in _games(workspace, "test")]
    (changed_run / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="would make the test score worthless"):
        _tune(changed_run, workspace)
    config["tuning"]["games"] = config["learned"]
    (changed_run / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="was trained on .* cannot be tuned on them"):
        _tune(changed_run, workspace)
    config["tuning"]["games"] = ["a/match/that is gone"]
    (changed_run / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingError, match="was validated on a/match/that is gone, not found in"):
        _tune(changed_run, workspace)


def test_tuning_and_merging_on_matches_with_other_classes_is_refused(
    run: Path, other: Path, workspace: Workspace, tmp_path: Path
) -> None:
    """There would be no spots of the model's classes."""
    synthesize(tmp_path / "v2", matches=3, minutes=0.1, size="64x32", layout="soccernet-v2", seed=1)
    elsewhere = replace(workspace, data=tmp_path / "v2")
    before = (run / "config.json").read_bytes()
    with pytest.raises(DataError, match="The model in .* predicts PASS, .* is labeled with .*Penalty"):
        _tune(run, elsewhere)
    with pytest.raises(DataError, match="The model in .* predicts PASS, .* is labeled with .*Penalty"):
        _merge([run, other], elsewhere, tmp_path / "merged")
    assert (run / "config.json").read_bytes() == before
    assert not (tmp_path / "merged").exists()


def test_scoring_a_run_on_its_training_matches_warns(
    workspace: Workspace, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _evaluate(run, workspace, split="train")
    assert "are not held-out" in " ".join(capsys.readouterr().err.split())


def test_stored_predictions_of_another_model_view_or_video_are_not_reused(
    workspace: Workspace, run: Path, other: Path, tmp_path: Path
) -> None:
    (game,) = _games(workspace, "test")
    for half in game.videos:
        (tmp_path / half.path.name).write_bytes(half.path.read_bytes())
    video = Video(tmp_path / game.videos[0].path.name, 1)
    game, folder = Game("a match", (video,), None), tmp_path / "made"
    for name in ("scores.h5", "results_spotting.json"):
        atomic_write(folder / name, b"")
    maker = provenance_of(run, flip=False)
    assert not maker.has_scores(folder, game)
    maker.record(folder, game)
    assert maker.has_scores(folder, game)
    assert maker.has_detections(folder, game)
    retuned = Provenance(maker.scores, {**maker.postprocess, "sigma": 7})
    assert retuned.has_scores(folder, game)
    assert not retuned.has_detections(folder, game)
    assert not provenance_of(run, flip=True).has_scores(folder, game)
    assert not provenance_of(other, flip=False).has_scores(folder, game)
    video.path.write_bytes(b"another video")
    assert not maker.has_scores(folder, game)


def test_merging_into_a_folder_that_holds_something_else_is_refused(
    workspace: Workspace, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    kept = shutil.copytree(run, tmp_path / "kept")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for folder in (kept, tmp_path / "notes"):
        with pytest.raises(SettingsError, match="Choose another folder: --out FOLDER"):
            _merge([run, other], workspace, folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    changed = (merged / "config.json").stat().st_mtime_ns
    assert _merge([run, other], workspace, merged) == merged  # finished already
    (merged / "clips").mkdir()  # as bas clips leaves them
    assert _merge([run, other], workspace, merged) == merged
    assert (merged / "config.json").stat().st_mtime_ns == changed


def test_flip_averages_both_views_and_extracts_the_mirrored_rows(workspace: Workspace, run: Path) -> None:
    plain, both = _evaluate(run, workspace), _evaluate(run, workspace, flip=True)
    assert len(plain.classes) == len(both.classes)
    (game,) = _games(workspace, "test")
    seen, averaged = (
        read_scores(run / "predictions" / split / game.id / "scores.h5")[1].values
        for split in ("test", "test-flip")
    )
    assert seen.shape == averaged.shape
    assert not np.array_equal(seen, averaged)
    cached = [bas.open_cache(path) for path in workspace.features.glob(f"*/{game.id}/224p.h5")]
    assert [json.loads(cache.header.attributes.fingerprint)["flip"] for cache in cached].count(True) == 1
    model = bas.load_model(run)
    events = bas.predict(game.videos[0].path, model, features=workspace.features, flip=True)
    assert len(events) == sum(row.num_detections for row in both.classes)
    twice = flip_averaged(flip_averaged(load_video_model(run, device="cpu")))
    assert len(bas.predict(game.videos[0].path, twice, features=workspace.features)) == len(events)


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
    games = _games(workspace, "test")
    one, two, mean = (
        load_predictor(folder, workspace).dense_scores(games, split="test")[games[0].id][1].values
        for folder in (run, other, moved)
    )
    np.testing.assert_allclose(mean, 0.25 * one + 0.75 * two, atol=1e-6)


def test_an_ensemble_scores_on_valid_what_tuning_found_and_can_be_compared(
    workspace: Workspace, run: Path, merged: Path
) -> None:
    tuning = json.loads((merged / "config.json").read_text())["tuning"]
    assert _evaluate(merged, workspace, split="valid").mean_ap == pytest.approx(tuning["mAP@1"], abs=1e-12)
    assert _tune(merged, workspace).mean_after == tuning["mAP@1"]
    comparison = compare([run, merged], workspace, split="test")
    assert comparison.results[1].mean_ap == pytest.approx(_evaluate(merged, workspace).mean_ap, abs=1e-12)


def test_incompatible_runs_are_not_merged(
    workspace: Workspace, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="two or more different runs"):
        _merge([run], workspace, tmp_path / "out")
    with pytest.raises(SettingsError, match="two or more different runs"):
        _merge([run, other, run], workspace, tmp_path / "out")
    with pytest.raises(SettingsError, match="is itself a merge"):
        _merge([run, merged], workspace, tmp_path / "out")
    with pytest.raises(SettingsError, match=r"is already a merge of .*\. Choose another folder"):
        _merge([other, run], workspace, merged)
    folds = shutil.copytree(other, tmp_path / "fold")
    config = json.loads((folds / "config.json").read_text())
    config["tuning"]["games"] = config.pop("learned")
    (folds / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="have different validation matches"):
        _merge([run, folds], workspace, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _fit(workspace: Workspace, head: str, *sets: str) -> Path:
    return fit(load("heads", head=head, preset="tiny", sets=[*_SETS, *sets]), workspace)


def _tune(run: Path, workspace: Workspace) -> Tuning:
    return tune_run(run, workspace)


def _merge(runs: list[Path], workspace: Workspace, out: Path) -> Path:
    return merge(runs, workspace, out=out)


def _evaluate(run: Path, workspace: Workspace, *, split: str = "test", flip: bool = False) -> Evaluation:
    return evaluate_run(run, workspace, split=split, flip=flip)


def _games(workspace: Workspace, split: str) -> tuple[Game, ...]:
    return open_dataset(workspace.data, video="224p").split(split)
