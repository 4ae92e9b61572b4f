"""`bas submit` on a fitted run: packed, checked and scored, and no zip if a server would refuse it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.runs import HOME, bas, games_of, small_run

from bas.commands.sharing.submit import check_zip, submit_run
from bas.errors import DataError
from bas.files import sha256_of


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return small_run(HOME)


def test_submit_predicts_packs_checks_and_scores(run: Path) -> None:
    output = bas("submit", str(run), "--split", "test")
    assert "1 match of test" in output
    assert "mAP@1" in output
    (game,) = games_of(HOME)
    with zipfile.ZipFile(run / "submission-test.zip") as archive:
        assert archive.namelist() == [f"{game.id}/results_spotting.json"]
    assert "Predicting" not in bas("submit", str(run), "--split", "test")
    for chosen in ((), ("--split", "test"), ("--data", "no-such-folder")):
        output = bas("submit", "--check", str(run / "submission-test.zip"), *chosen)
        assert "1 match" in output
        assert "no errors" in output
    with pytest.raises(DataError, match="missing 1 of 1 game"):
        check_zip(run / "submission-test.zip", data=Path("data"), split="valid")


def test_check_says_which_challenges_take_a_zip_without_teams_or_detections(run: Path) -> None:
    submit_run(run, HOME, split="test")
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
    submit_run(run, HOME, split="test")
    (game,) = games_of(HOME)
    results = run / "predictions" / "test" / game.id / "results_spotting.json"
    whole = results.read_text()
    document = json.loads(whole)
    document["predictions"][0]["half"] = "2"
    results.write_text(json.dumps(document))
    made = results.with_name("made.json")
    record = json.loads(made.read_text())
    record["files"][results.name] = sha256_of(results)  # as if they had been predicted so
    made.write_text(json.dumps(record))
    with pytest.raises(DataError, match="half '2', but the game only has half 1"):
        submit_run(run, HOME, split="test", out=Path("bad.zip"))
    assert not Path("bad.zip").exists()
    results.write_text(whole)


def test_results_that_were_changed_are_predicted_again_and_not_packed(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (game,) = games_of(HOME)
    packed = submit_run(run, HOME, split="test").read_bytes()
    results = run / "predictions" / "test" / game.id / "results_spotting.json"
    document = json.loads(results.read_text())
    document["predictions"][0]["confidence"] = "0.99"
    results.write_text(json.dumps(document))
    assert submit_run(run, HOME, split="test", out=Path("again.zip")).read_bytes() == packed
    assert "changed after it was written" in " ".join(capsys.readouterr().err.split())
