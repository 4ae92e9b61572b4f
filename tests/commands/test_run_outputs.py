"""`bas submit`, `clips` and `render` on a fitted run, as users call them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.matches import annotation, write_labels
from support.media import drop_packets
from typer.testing import CliRunner

from bas.cli import app
from bas.commands.sharing.submit import check_zip, submit_run
from bas.commands.training.fit_head import fit
from bas.commands.watching.analyzed_videos import _labels_for_video
from bas.config import load
from bas.dataset import open_dataset, probe
from bas.errors import DataError, MissingError
from bas.types import Game, Spot, Video
from bas.workspace import Workspace

_SETS = ("fit.epochs=1", "fit.samples=64", "fit.batch=32", "extract.grid=[2,3]")
_WORKSPACE = Workspace(Path("data"), Path("features"), Path("runs"), "cpu", "auto")


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    settings = load("heads", head="netvlad", preset="tiny", sets=_SETS)
    return fit(settings, _WORKSPACE)


def bas(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def submit(run: Path, **changes: str) -> Path:
    return submit_run(run, _WORKSPACE, **{"split": "test", **changes})  # type: ignore[arg-type]


def test_submit_predicts_packs_checks_and_scores(run: Path) -> None:
    output = bas("submit", str(run), "--split", "test")
    assert "1 match of test" in output
    assert "mAP@1" in output
    (game,) = open_dataset(Path("data"), video="224p").split("test")
    with zipfile.ZipFile(run / "submission-test.zip") as archive:
        assert archive.namelist() == [f"{game.id}/results_spotting.json"]
    assert "Predicting" not in bas("submit", str(run), "--split", "test")
    for chosen in ((), ("--split", "test"), ("--data", "no-such-folder")):
        output = bas("submit", "--check", str(run / "submission-test.zip"), *chosen)
        assert "1 match" in output
        assert "no errors" in output
    with pytest.raises(DataError, match="1 of 1 games are missing"):
        check_zip(run / "submission-test.zip", data=Path("data"), split="valid")


def test_check_says_which_challenges_take_a_zip_without_teams_or_detections(run: Path) -> None:
    submit(run)
    path = run / "submission-test.zip"
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        document = json.loads(archive.read(name))
    for entry in document["predictions"]:
        entry.pop("team", None)
    output = _checked(name, document)
    assert (
        "1 note above. Ready to submit to the 2023 and 2024 challenges; the 2025 challenge requires" in output
    )
    output = _checked(name, document | {"predictions": []})
    assert output.count("has an empty list of predictions") == 1
    assert "Ready to submit" not in output


def _checked(name: str, document: dict[str, Any]) -> str:
    with zipfile.ZipFile("other.zip", "w") as archive:
        archive.writestr(name, json.dumps(document))
    return " ".join(bas("submit", "--check", "other.zip").split())


def test_invalid_predictions_give_no_zip(run: Path) -> None:
    submit(run)
    (game,) = open_dataset(Path("data"), video="224p").split("test")
    results = run / "predictions" / "test" / game.id / "results_spotting.json"
    whole = results.read_text()
    document = json.loads(whole)
    document["predictions"][0]["half"] = "2"
    results.write_text(json.dumps(document))
    with pytest.raises(DataError, match="half '2', but the game only has half 1"):
        submit_run(run, _WORKSPACE, split="test", out=Path("bad.zip"))
    assert not Path("bad.zip").exists()
    results.write_text(whole)


def test_eval_and_predict_write_files_for_other_programs(run: Path) -> None:
    bas("eval", "--run", str(run))
    (game,) = open_dataset(Path("data"), video="224p").split("test")
    folder = run / "predictions" / "test"
    assert {path.name for path in (folder / game.id).iterdir()} >= {"events.csv", "224p.srt", "scores.h5"}
    bas("predict", str(game.videos[0].path), "--model", str(run), "--out", "spots")
    scored, alone = (json.loads((f / "osl.json").read_text())["data"][0] for f in (folder, Path("spots")))
    assert scored["events"] == alone["events"]
    assert (folder / scored["inputs"][0]["path"]).resolve() == game.videos[0].path.resolve()


def test_clips_of_detections_and_of_mistakes(run: Path) -> None:
    submit(run)
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


def test_a_video_is_rendered_with_the_labels_beside_it(run: Path) -> None:
    (game,) = open_dataset(Path("data"), video="224p").split("test")
    video = drop_packets(game.videos[0].path, Path("match") / "224p.mp4", keep=lambda number: number < 50)
    assert game.labels is not None
    (video.parent / "Labels-ball.json").write_bytes(game.labels.read_bytes())
    bas("render", str(video), "--model", str(run))
    rendered = probe(video.with_name("224p.mp4.spots") / "rendered" / "224p.mp4")
    assert len(rendered.pts) == len(probe(video).pts)


@pytest.mark.parametrize(
    ("name", "expected"), [("1_224p.mkv", 1000), ("2_224p.mkv", 2000), ("whole.mkv", None)]
)
def test_a_half_is_rendered_with_its_own_labels(tmp_path: Path, name: str, expected: int | None) -> None:
    write_labels(tmp_path / "Labels-ball.json", [annotation(1000), annotation(2000, half=2)])
    video = tmp_path / name
    labels = _labels_for_video(Game("x", (Video(video, 1),), None), video)
    assert labels == (None if expected is None else [Spot(expected, "PASS", "left")])


def test_a_video_needs_a_model_and_mistakes_need_labels(run: Path) -> None:
    (game,) = open_dataset(Path("data"), video="224p").split("test")
    video = Path("bare.mp4")
    video.write_bytes(game.videos[0].path.read_bytes())
    for arguments, message in (
        (("clips", str(video)), "needs a model. Name one with --model"),
        (("clips", str(video), "--model", str(run), "--mistakes", "3"), "has no labels"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, MissingError)
        assert message in str(result.exception)
