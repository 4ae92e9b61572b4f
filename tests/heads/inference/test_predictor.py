"""The predictor on real caches: what it reuses, what it warns of, and both views averaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.runs import games_of, small_run

import bas
from bas.commands.scoring.evaluate import evaluate_run
from bas.dataset import Dataset, open_dataset
from bas.evaluate.dense_scores import read_scores
from bas.files import atomic_write
from bas.heads.inference.ensemble import flip_averaged, load_video_model
from bas.heads.inference.predictor import load_predictor
from bas.heads.inference.provenance import Provenance, provenance_of
from bas.types import Game, Video
from bas.workspace import Workspace


@pytest.fixture(scope="module")
def run(workspace: Workspace) -> Path:
    return small_run(workspace)


@pytest.fixture(scope="module")
def other(workspace: Workspace) -> Path:
    """A run of another head on rows of another hop."""
    return small_run(workspace, "linear", "extract.hop=3")


def test_stored_predictions_of_another_model_view_or_video_are_not_reused(
    workspace: Workspace, run: Path, other: Path, tmp_path: Path
) -> None:
    (game,) = games_of(workspace, "test")
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


def test_scoring_a_run_on_its_training_matches_warns(
    workspace: Workspace, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate_run(run, workspace, split="train")
    assert "are not held-out" in " ".join(capsys.readouterr().err.split())


def test_flip_averages_both_views_and_extracts_the_mirrored_rows(workspace: Workspace, run: Path) -> None:
    plain, both = (
        evaluate_run(run, workspace, split="test"),
        evaluate_run(run, workspace, split="test", flip=True),
    )
    assert len(plain.classes) == len(both.classes)
    (game,) = games_of(workspace, "test")
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


def test_the_matches_are_opened_once(
    workspace: Workspace, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def record(root: Path, **named: Any) -> Dataset:
        opened.append(root)
        return open_dataset(root, **named)

    monkeypatch.setattr("bas.heads.inference.predictor.open_dataset", record)
    predictor = load_predictor(run, workspace)
    predictor.predict_split("test")
    predictor.games("valid")
    assert opened == [workspace.data]
