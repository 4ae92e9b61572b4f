"""Stored predictions are used only as they were written, by the same model, of the same videos."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bas.evaluate.dense_scores import SCORES_FILE, write_scores
from bas.evaluate.formats.soccernet import RESULTS_FILE
from bas.files import write_json
from bas.heads.inference.provenance import Provenance
from bas.types import Game, Scores, Video

_PROVENANCE = Provenance({"settings": {}, "weights": ["ab"], "flip": False}, {"min_score": 0.02})


@pytest.fixture
def game(tmp_path: Path) -> Game:
    video = tmp_path / "1_720p.mkv"
    video.write_bytes(bytes(range(256)) * 4000)
    return Game("game", (Video(video, 1),), None)


@pytest.fixture
def folder(tmp_path: Path, game: Game) -> Path:
    folder = tmp_path / "predictions"
    write_scores(folder / SCORES_FILE, {1: Scores(np.zeros((9, 1), np.float32), ("PASS",), Fraction(25))})
    write_json(folder / RESULTS_FILE, {"predictions": [{"confidence": "0.25"}]})
    _PROVENANCE.record(folder, game)
    return folder


def test_predictions_are_used_as_they_were_written(folder: Path, game: Game) -> None:
    assert _PROVENANCE.has_scores(folder, game)
    assert _PROVENANCE.has_detections(folder, game)


@pytest.mark.fault("L11")
def test_a_changed_confidence_is_noticed(
    folder: Path, game: Game, capsys: pytest.CaptureFixture[str]
) -> None:
    results = folder / RESULTS_FILE
    results.write_text(results.read_text().replace("0.25", "0.95"))
    assert not _PROVENANCE.has_detections(folder, game)
    assert f"{RESULTS_FILE} changed after it was written" in " ".join(capsys.readouterr().err.split())
    assert _PROVENANCE.has_scores(folder, game)


@pytest.mark.fault("C03")
def test_scores_of_another_model_in_the_same_place_are_noticed(folder: Path, game: Game) -> None:
    write_scores(folder / SCORES_FILE, {1: Scores(np.ones((9, 1), np.float32), ("PASS",), Fraction(25))})
    assert not _PROVENANCE.has_scores(folder, game)
    assert _PROVENANCE.has_detections(folder, game)


@pytest.mark.fault("C07")
@pytest.mark.parametrize("position", [0, 300_000, 1_023_999])
def test_a_video_replaced_by_one_of_the_same_age_and_size_is_noticed(
    folder: Path, game: Game, position: int
) -> None:
    path = game.videos[0].path
    age = path.stat()
    content = bytearray(path.read_bytes())
    content[position : position + 20_000] = bytes(len(content[position : position + 20_000]))
    content[position] = 77
    path.write_bytes(content)
    os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))
    assert not _PROVENANCE.has_scores(folder, game)
    assert not _PROVENANCE.has_detections(folder, game)


def test_predictions_of_a_deleted_video_are_used(folder: Path, game: Game) -> None:
    game.videos[0].path.unlink()
    assert _PROVENANCE.has_detections(folder, game)


def test_a_record_of_an_earlier_version_has_neither_samples_nor_hashes(folder: Path, game: Game) -> None:
    record = json.loads((folder / "made.json").read_text())
    del record["samples"], record["files"]
    write_json(folder / "made.json", record)
    assert _PROVENANCE.has_scores(folder, game)
    assert _PROVENANCE.has_detections(folder, game)


@pytest.mark.parametrize(
    "text", ["[]", "null", "{}", "7", '{"scores": [], "videos": [], "peaks": []}', "{", ""]
)
def test_a_damaged_record_is_named_and_its_predictions_are_not_used(
    folder: Path, game: Game, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "made.json").write_text(text)
    assert not _PROVENANCE.has_scores(folder, game)
    assert "made.json" in capsys.readouterr().err
