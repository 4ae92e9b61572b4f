"""Post-processing, flip averaging and merging on real caches."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import bas
from bas.config import load
from bas.dataset import open_dataset
from bas.errors import MissingError, SettingsError
from bas.evaluate.dense import read_scores
from bas.evaluate.score import Evaluation
from bas.evaluate.search import Tuning
from bas.files import atomic_write
from bas.heads.apply import evaluate_run
from bas.heads.compare import compare
from bas.heads.lessons import Place
from bas.heads.made import Maker, maker_of
from bas.heads.merge import merge
from bas.heads.merged import load_spotter
from bas.heads.run import fit
from bas.heads.spot import dense_scores
from bas.heads.tuning import tune_run
from bas.types import Game, Video

_SETS = ("fit.epochs=1", "fit.samples=64", "fit.batch=32", "extract.grid=[2,3]")


@pytest.fixture(scope="module")
def run(place: Place) -> Path:
    return _fit(place, "netvlad")


@pytest.fixture(scope="module")
def other(place: Place) -> Path:
    """A run of another head on rows of another hop."""
    return _fit(place, "linear", "extract.hop=3")


@pytest.fixture(scope="module")
def merged(place: Place, run: Path, other: Path) -> Path:
    return _merge([run, other], place, place.runs / "merged")


def test_tuning_a_finished_run_finds_what_its_fit_found(place: Place, run: Path, tmp_path: Path) -> None:
    again = shutil.copytree(run, tmp_path / "again")
    config = json.loads((again / "config.json").read_text())
    found = _tune(again, place)
    assert json.loads((again / "config.json").read_text()) == config
    assert config["tuning"]["mAP@1"] == found.mean_after
    assert "**Post-processing**: " in (again / "README.md").read_text()


def test_a_folder_from_before_tuning_loads_and_can_be_tuned(place: Place, run: Path, tmp_path: Path) -> None:
    old = shutil.copytree(run, tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    tuning = config.pop("tuning")
    config["settings"]["peaks"] = {"sigma": 3.0, "height": 0.02, "distance": 8}
    (old / "config.json").write_text(json.dumps(config))
    assert load_spotter(old, device="cpu").untuned is None
    assert _tune(old, place).mean_after == tuning["mAP@1"]


def test_the_score_without_tuning_stands_beside_the_tuned_one(
    place: Place, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = _evaluate(run, place)
    told = capsys.readouterr()
    assert "before it was tuned" in told.out
    assert "says nothing about other matches" not in " ".join(told.err.split())
    (line,) = [line for line in told.out.splitlines() if line.startswith("as tuned on the validation games")]
    assert f"{100 * evaluation.mean_ap:.2f}" in line


def test_nothing_is_tuned_on_what_tests_or_trained_the_model(place: Place, run: Path, tmp_path: Path) -> None:
    judged = shutil.copytree(run, tmp_path / "judged")
    config = json.loads((judged / "config.json").read_text())
    config["tuning"]["games"] = [game.id for game in _games(place, "test")]
    (judged / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="would make the test worthless"):
        _tune(judged, place)
    config["tuning"]["games"] = config["learned"]
    (judged / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="learned from .* tuning on them would flatter"):
        _tune(judged, place)
    config["tuning"]["games"] = ["a/match/that is gone"]
    (judged / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingError, match="was judged by a/match/that is gone, not in"):
        _tune(judged, place)


def test_who_is_judged_by_what_it_learned_from_is_told(
    place: Place, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _evaluate(run, place, split="train")
    assert "says nothing about other matches" in " ".join(capsys.readouterr().err.split())


def test_predictions_of_another_model_view_or_video_are_not_taken_for_ones_own(
    place: Place, run: Path, other: Path, tmp_path: Path
) -> None:
    (game,) = _games(place, "test")
    for half in game.videos:
        (tmp_path / half.path.name).write_bytes(half.path.read_bytes())
    video = Video(tmp_path / game.videos[0].path.name, 1)
    game, folder = Game("a match", (video,), None), tmp_path / "made"
    for name in ("scores.h5", "results_spotting.json"):
        atomic_write(folder / name, b"")
    maker = maker_of(load_spotter(run, device="cpu"))
    assert not maker.has_scores(folder, game)
    maker.record(folder, game)
    assert maker.has_scores(folder, game)
    assert maker.has_events(folder, game)
    retuned = Maker(maker.scores, {**maker.peaks, "sigma": 7})
    assert retuned.has_scores(folder, game)
    assert not retuned.has_events(folder, game)
    assert not maker_of(load_spotter(run, device="cpu"), flip=True).has_scores(folder, game)
    assert not maker_of(load_spotter(other, device="cpu")).has_scores(folder, game)
    video.path.write_bytes(b"another video")
    assert not maker.has_scores(folder, game)


def test_a_folder_that_holds_something_else_is_not_merged_into(
    place: Place, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    kept = shutil.copytree(run, tmp_path / "kept")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for folder in (kept, tmp_path / "notes"):
        with pytest.raises(SettingsError, match="Choose another folder: --out FOLDER"):
            _merge([run, other], place, folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    changed = (merged / "config.json").stat().st_mtime_ns
    assert _merge([run, other], place, merged) == merged  # finished already
    (merged / "clips").mkdir()  # as bas clips leaves them
    assert _merge([run, other], place, merged) == merged
    assert (merged / "config.json").stat().st_mtime_ns == changed


def test_flip_averages_both_views_and_extracts_the_mirrored_rows(place: Place, run: Path) -> None:
    plain, both = _evaluate(run, place), _evaluate(run, place, flip=True)
    assert len(plain.rows) == len(both.rows)
    (game,) = _games(place, "test")
    seen, averaged = (
        read_scores(run / "predictions" / split / game.id / "scores.h5")[1].values
        for split in ("test", "test-flip")
    )
    assert seen.shape == averaged.shape
    assert not np.array_equal(seen, averaged)
    cached = [bas.open_cache(path) for path in place.features.glob(f"*/{game.id}/224p.h5")]
    assert [json.loads(cache.header.facts.fingerprint)["flip"] for cache in cached].count(True) == 1
    model = bas.load_model(run)
    events = bas.predict(game.videos[0].path, model, features=place.features, flip=True)  # type: ignore[arg-type]
    assert len(events) == sum(row.num_detections for row in both.rows)


def test_a_merged_run_that_was_moved_is_the_mean_of_its_members(
    place: Place, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    """With weights by hand, for on matches this small one member may take all."""
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
    games = _games(place, "test")
    one, two, mean = (
        dense_scores(
            load_spotter(folder, device="cpu"),
            folder,
            games,
            split="test",
            features=place.features,
            decoder="cpu",
        )[games[0].id][1].values
        for folder in (run, other, moved)
    )
    np.testing.assert_allclose(mean, 0.25 * one + 0.75 * two, atol=1e-6)


def test_a_merged_run_scores_on_valid_what_was_found_and_is_compared(
    place: Place, run: Path, merged: Path
) -> None:
    tuning = json.loads((merged / "config.json").read_text())["tuning"]
    assert _evaluate(merged, place, split="valid").mean_ap == pytest.approx(tuning["mAP@1"], abs=1e-12)
    assert _tune(merged, place).mean_after == tuning["mAP@1"]
    comparison = compare([run, merged], data=place.data, features=place.features, split="test", device="cpu")
    assert comparison.contestants[1].mean_ap == pytest.approx(_evaluate(merged, place).mean_ap, abs=1e-12)


def test_runs_that_do_not_go_together_are_not_merged(
    place: Place, run: Path, other: Path, merged: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="two runs or more"):
        _merge([run], place, tmp_path / "out")
    with pytest.raises(SettingsError, match="two runs or more"):
        _merge([run, other, run], place, tmp_path / "out")
    with pytest.raises(SettingsError, match="is merged itself"):
        _merge([run, merged], place, tmp_path / "out")
    with pytest.raises(SettingsError, match=r"is merged of .*\. Choose another folder"):
        _merge([other, run], place, merged)
    folds = shutil.copytree(other, tmp_path / "fold")
    config = json.loads((folds / "config.json").read_text())
    config["tuning"]["games"] = config.pop("learned")
    (folds / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="judged by different matches"):
        _merge([run, folds], place, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _fit(place: Place, head: str, *sets: str) -> Path:
    return fit(load("heads", head=head, preset="tiny", sets=[*_SETS, *sets]), place)


def _tune(run: Path, place: Place) -> Tuning:
    return tune_run(run, data=place.data, features=place.features, device="cpu")


def _merge(runs: list[Path], place: Place, out: Path) -> Path:
    return merge(runs, out=out, data=place.data, features=place.features, device="cpu")


def _evaluate(run: Path, place: Place, *, split: str = "test", flip: bool = False) -> Evaluation:
    return evaluate_run(run, data=place.data, features=place.features, split=split, device="cpu", flip=flip)


def _games(place: Place, split: str) -> tuple[Game, ...]:
    return open_dataset(place.data, video="224p").split(split)
