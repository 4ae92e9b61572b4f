"""Both forms of `bas eval`: from feature rows or from prediction files to tables, files and the report."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.media import write_video
from support.runs import bas, small_run
from torch import nn

from bas.commands.scoring import evaluate_predictions as evaluate_predictions_module
from bas.commands.scoring.evaluate import evaluate_run, evaluate_written
from bas.commands.scoring.evaluate_predictions import evaluate_predictions
from bas.config import PostprocessSettings, load
from bas.dataset.classes import BALL_CLASSES
from bas.dataset.splits import official_lists
from bas.errors import MissingError
from bas.evaluate.analysis import analysis
from bas.evaluate.dense_scores import interpolate_rows, read_scores, write_scores
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scoring.score import score
from bas.heads.inference.predictor import Predictor
from bas.heads.inference.provenance import Provenance
from bas.heads.models.stacker import Stacker
from bas.types import Game, Scores, Video
from bas.workspace import Workspace

GAME = "league/season/A - B"


class _Model(Stacker):
    """A model without networks, whose scores a test sets: one row every `hop` frames."""

    def __init__(self, rows: np.ndarray, hop: int) -> None:
        nn.Module.__init__(self)
        self.classes = ("PASS-left", "PASS-right", "DRIVE-left", "DRIVE-right")
        self.settings = load("heads")
        self.rows, self._hop = rows, hop

    def scores(self, features: Any) -> Scores:
        num_frames = self._hop * len(features)
        every = np.ones(len(features), dtype=bool)
        values = interpolate_rows(features, every, hop=self._hop, num_frames=num_frames)
        return Scores(values, self.classes, Fraction(25))


def _predictor(model: _Model, folder: Path) -> Predictor:
    workspace = Workspace(folder / "data", folder / "features", folder / "runs", "cpu", "cpu")
    return Predictor(folder, model, workspace, Provenance({}, {}), False, PostprocessSettings())


def test_a_model_is_scored_from_the_files_that_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = np.zeros((400, 4), dtype=np.float32)
    scores[0, 0] = scores[100, 3] = scores[399, 0] = 1.0
    labels = tmp_path / "data" / GAME / "Labels-ball.json"
    _write(labels, [("PASS", 0, "left"), ("DRIVE", 8000, "right"), ("PASS", 31_920, "left")])
    write_video(tmp_path / "720p.mp4", 6)
    predictor = _predictor(_Model(scores, 2), tmp_path)
    monkeypatch.setattr(
        "bas.heads.inference.predictor.features_for",
        lambda model, games, **named: {video.path: model.rows for game in games for video in game.videos},
    )
    monkeypatch.setattr("bas.heads.inference.predictor.lead_ms_of", lambda video, rows: 0)
    game, out = Game(GAME, (Video(tmp_path / "720p.mp4", 1),), labels), tmp_path / "out"
    games = predictor.write([game], out, split="test")
    assert games == (game,)
    evaluation = evaluate_written(
        predictor, games, out, tolerance="1", split="test", json=tmp_path / "report.json", name="report"
    )
    assert [(row.label, row.ap, row.num_detections) for row in evaluation.classes] == [
        ("PASS", 1.0, 2),
        ("DRIVE", 1.0, 1),
    ]
    assert evaluation.teams is not None
    assert evaluation.teams.mean_ap == 1.0
    assert score(tmp_path / "data", out, classes=("PASS", "DRIVE")) == evaluation
    assert read_scores(out / GAME / "scores.h5")[1].values.shape == (800, 4)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["format"] == 2
    assert report["mAP"] == 1.0
    assert {one["kind"] for one in report["outcomes"]} == {"hit"}
    assert "1 match of test, 2 classes, tolerance 1 s = ±12 frames at 25 fps" in capsys.readouterr().out


def test_a_game_without_labels_is_an_error(tmp_path: Path) -> None:
    hidden = official_lists("spotting-ball")["challenge"][0]
    for name, words in (
        (GAME, r".* holds no Labels-ball\.json.*bas doctor"),
        (hidden, "bas submit RUN"),
    ):
        game = Game(name, (Video(tmp_path / name / "720p.mp4", 1),), None)
        with pytest.raises(MissingError, match=f"{name} has no labels, so it cannot be scored: .*{words}"):
            labels_of_games([game])


def test_predictions_of_any_model_are_scored_without_a_video(
    match_folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = evaluate_predictions(*match_folders, tolerance="1", json=tmp_path / "report.json")
    assert evaluation.mean_ap == pytest.approx(0.5508502958, abs=1e-9)
    assert json.loads((tmp_path / "report.json").read_text())["mAP"] == evaluation.mean_ap
    out = capsys.readouterr().out
    assert "2 matches, 12 classes, tolerance 1 s = ±12 frames at 25 fps" in out
    assert "55.09" in out


@pytest.mark.parametrize("given", ["the folder", "a folder around it", "the document"])
def test_dense_scores_beside_the_predictions_add_window_accuracy_and_chance(
    match_folders: tuple[Path, Path], tmp_path: Path, given: str
) -> None:
    labels, results = match_folders
    for document in results.rglob("*.json"):
        values = np.full((160_000, 12), 0.01, np.float32)
        write_scores(document.parent / "scores.h5", {1: Scores(values, BALL_CLASSES, Fraction(25))})
    if given == "a folder around it":
        (tmp_path / "outer").mkdir()
        results = results.rename(tmp_path / "outer" / "results").parent
    if given == "the document":
        labels, results = (next(folder.rglob("*Reading*/*.json")) for folder in match_folders)
    evaluate_predictions(labels, results, json=tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["windows"]["count"] > 0
    assert 0 <= report["chance"] < 0.1
    assert set(report["windows"]["micro"]) == set(report["windows"]["macro"])


def test_without_dense_scores_of_every_game_there_is_no_window_accuracy(
    match_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    labels, results = match_folders
    values = np.full((160_000, 12), 0.01, np.float32)
    one = next(results.rglob("*.json")).parent
    write_scores(one / "scores.h5", {1: Scores(values, BALL_CLASSES, Fraction(25))})
    evaluate_predictions(labels, results, json=tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["windows"] is report["chance"] is None


def test_infinite_confidences_are_scored_and_reported(tmp_path: Path) -> None:
    _write(tmp_path / "labels" / "a" / "Labels-ball.json", [("PASS", 1000, "left"), ("SHOT", 9000, "left")])
    prediction = {
        "gameTime": "1 - 00:01",
        "label": "PASS",
        "position": "1000",
        "half": "1",
        "confidence": "inf",
    }
    results = tmp_path / "results" / "a" / "results_spotting.json"
    results.parent.mkdir(parents=True)
    results.write_text(json.dumps({"predictions": [prediction]}))
    evaluation = evaluate_predictions(
        tmp_path / "labels", tmp_path / "results", json=tmp_path / "report.json"
    )
    assert evaluation.mean_ap == pytest.approx(1 / 12)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["outcomes"][0]["confidence"] is None
    assert report["few_ground_truths"] == ["PASS", "SHOT"]


def test_one_split_of_a_data_folder_is_scored_alone(match_folders: tuple[Path, Path]) -> None:
    labels, results = match_folders
    other = "england_efl/2019-2020/2019-10-01 - Middlesbrough - Preston North End"
    _write(labels / other / "Labels-ball.json", [("PASS", 0, "home")])
    with pytest.raises(MissingError, match=r"Middlesbrough.*score a single split \(--split\)"):
        evaluate_predictions(labels, results)
    assert len(evaluate_predictions(labels, results, split="test").games) == 2


def test_the_score_is_printed_before_the_longer_analysis_begins(
    match_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_predictions_module, "analyze", interrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluate_predictions(*match_folders)
    assert "55.09" in capsys.readouterr().out


def test_without_resamples_the_interval_is_left_out(
    match_folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(analysis, "resampled_mean_ap", lambda *_, **__: pytest.fail("resampled"))
    labels, results = map(str, match_folders)
    report = tmp_path / "report.json"
    out = bas("eval", "--data", labels, "--predictions", results, "--resamples", "0", "--json", str(report))
    assert "interval" not in out
    assert json.loads(report.read_text())["interval"] is None
    assert json.loads(report.read_text())["interval_of"]["resamples"] == 0


def test_eval_prints_the_score_before_tuning_next_to_the_tuned_one(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = evaluate_run(small_run(workspace), workspace, split="test")
    printed = capsys.readouterr()
    assert "before tuning" in printed.out
    assert "are not held-out" not in " ".join(printed.err.split())
    (line,) = [
        line for line in printed.out.splitlines() if line.startswith("tuned on the validation matches")
    ]
    assert f"{100 * evaluation.mean_ap:.2f}" in line


def _write(path: Path, annotations: list[tuple[str, int, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {
            "gameTime": f"1 - 00:{position // 1000:02d}",
            "label": label,
            "position": str(position),
            "team": team,
            "visibility": "visible",
        }
        for label, position, team in annotations
    ]
    path.write_text(json.dumps({"annotations": entries}))
