"""`bas predict` on a fitted run: a table of what is found, and files for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.runs import HOME, bas, games_of, small_run

from bas.heads.inference.ensemble import load_video_model
from bas.messages import counted


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return small_run(HOME)


def test_eval_and_predict_write_files_for_other_programs(run: Path) -> None:
    bas("eval", "--run", str(run))
    (game,) = games_of(HOME)
    folder = run / "predictions" / "test"
    assert {path.name for path in (folder / game.id).iterdir()} >= {"events.csv", "224p.srt", "scores.h5"}
    bas("predict", str(game.videos[0].path), "--model", str(run), "--out", "spots")
    scored, alone = (json.loads((f / "osl.json").read_text())["data"][0] for f in (folder, Path("spots")))
    assert scored["events"] == alone["events"]
    assert (folder / scored["inputs"][0]["path"]).resolve() == game.videos[0].path.resolve()


def test_the_table_counts_the_detections_at_the_thresholds_as_the_subtitles_do(run: Path) -> None:
    (game,) = games_of(HOME)
    output = bas("predict", str(game.videos[0].path), "--model", str(run), "--out", "shown")
    postprocess = load_video_model(run, device="cpu").settings.peaks
    predictions = json.loads(Path("shown/results_spotting.json").read_text())["predictions"]
    reaching = [one for one in predictions if float(one["confidence"]) >= postprocess.threshold(one["label"])]
    assert 0 < len(reaching) < len(predictions)
    assert f"{counted(len(reaching), 'detection')} at the thresholds of the model" in output
    assert f"{counted(len(predictions), 'detection')} of any confidence" in " ".join(output.split())
