"""`bas clips` on a fitted run: a clip of every detection, or of the worst mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.runs import HOME, bas, games_of, small_run
from typer.testing import CliRunner

from bas.cli import app
from bas.dataset import probe
from bas.errors import MissingError


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return small_run(HOME)


def test_clips_of_detections_and_of_mistakes(run: Path) -> None:
    bas("submit", str(run), "--split", "test")
    (results,) = (run / "predictions" / "test").rglob("results_spotting.json")
    confidences = sorted(float(p["confidence"]) for p in json.loads(results.read_text())["predictions"])
    output = bas("clips", str(run), "--confidence", str(confidences[-3]), "--out", "clips")
    clips = list(Path("clips").rglob("*.mp4"))
    assert "Wrote 3 clips to clips" in output
    assert len(clips) == 3
    assert all(1 <= len(probe(path).pts) <= 151 for path in clips)
    bas("clips", str(run), "--mistakes", "4")
    names = [path.name for path in (run / "mistakes").rglob("*.mp4")]
    assert len(names) == 4
    assert all(" miss " in name or " false positive " in name for name in names)


def test_mistakes_need_labels_and_are_refused_before_anything_is_predicted(run: Path, tmp_path: Path) -> None:
    (game,) = games_of(HOME)
    video = Path("bare.mp4")
    video.write_bytes(game.videos[0].path.read_bytes())
    shutil.copytree("data", tmp_path / "data")
    for labels in (tmp_path / "data" / game.id).glob("*.json"):
        labels.unlink()
    fresh = shutil.copytree(run, tmp_path / "fresh", ignore=shutil.ignore_patterns("predictions"))
    for source in ((str(video), "--model", str(run)), (str(fresh), "--data", str(tmp_path / "data"))):
        result = CliRunner().invoke(app, ["clips", *source, "--mistakes", "3"])
        assert isinstance(result.exception, MissingError)
        assert "has no labels, so its mistakes are unknown" in str(result.exception)
    assert not (fresh / "predictions").exists()
    assert not Path("bare.mp4.spots").exists()
