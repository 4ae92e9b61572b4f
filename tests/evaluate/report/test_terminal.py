"""An evaluation as terminal tables and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bas.evaluate.analysis.analysis import analyze
from bas.evaluate.report.document import report_document
from bas.evaluate.report.terminal import print_analysis, print_evaluation, write_report
from bas.evaluate.scoring.score import Evaluation, score_documents
from bas.types import Prediction, Spot

CLASSES = ("PASS", "DRIVE", "GOAL")


def test_the_tables_show_every_score(evaluation: Evaluation, capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluation(evaluation, split="test")
    captured = capsys.readouterr()
    lines = [" ".join(line.split()) for line in captured.out.splitlines()]
    assert lines == [
        "1 match of test, 3 classes, tolerance 1 s = ±12 frames at 25 fps",
        "mAP@1",
        "class AP AP exact spots detections",
        "PASS 54.55 54.55 2 1",
        "DRIVE 100.00 100.00 1 1",
        "GOAL 0.00 0.00 0 1",
        "mAP@1 51.52 51.52 3 3",
        "mean over the 2 annotated classes 77.27",
        "Team-mAP@1",
        "action AP left right",
        "PASS 50.00 1 1",
        "DRIVE 100.00 1 0",
        "GOAL undefined 0 0",
        "Team-mAP@1 undefined",
        "mean over the 2 annotated actions 75.00",
    ]
    assert "note: no spots of GOAL: officially AP 0" in captured.err


def test_spots_that_are_not_shown_have_columns_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"game": [Spot(1000, "PASS"), Spot(90_000, "PASS", visible=False)]}
    predictions = {"game": [Prediction(1000, 1, "PASS", 0.9, None)]}
    print_evaluation(score_documents(labels, predictions, classes=("PASS",)))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "class AP visible unshown AP exact spots detections" in lines
    assert "PASS 54.55 100.00 0.00 54.55 2 1" in lines
    assert "mAP@1 54.55 100.00 0.00 54.55 2 1" in lines


def test_the_report_is_json_with_null_for_what_is_undefined(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(tmp_path / "report.json", evaluation, split="test")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == report_document(evaluation, split="test")
    assert (report["fps"], report["tolerances_s"], report["window_frames"]) == (25, [1.0], [12])
    assert (report["split"], report["games"]) == ("test", ["game"])
    assert report["mAP"] == evaluation.mean_ap
    assert set(report) >= {"mAP_visible", "mAP_unshown", "mAP_exact", "mAP_occurring", "notes"}
    assert report["per_class"]["PASS"]["ground_truths"] == 2
    assert report["teams"]["mAP"] is None
    assert report["teams"]["mAP_defined"] == pytest.approx(0.75)
    assert report["teams"]["per_class"]["GOAL"]["AP"] is None


def test_without_teams_the_report_says_so(evaluation: Evaluation) -> None:
    spots = {"game": [Spot(1000, "PASS")]}
    report = report_document(score_documents(spots, {"game": []}, classes=CLASSES))
    assert report["teams"] is None
    assert any(note.startswith("no Team-mAP") for note in report["notes"])


def test_an_analysis_is_printed_below_the_score_and_joins_the_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = {"game": [Spot(1000, "PASS", "left"), Spot(5000, "PASS", "right")]}
    predictions = {
        "game": [Prediction(1000, 1, "PASS", 0.9, "left"), Prediction(5000, 1, "GOAL", 0.7, "right")]
    }
    evaluation = score_documents(labels, predictions, classes=CLASSES)
    analysis = analyze(evaluation, labels, predictions, thresholds=dict.fromkeys(CLASSES, 0.5))
    print_evaluation(evaluation)
    print_analysis(analysis, tolerances=evaluation.tolerances)
    printed = capsys.readouterr().out
    assert printed.index("Team-mAP@1") < printed.index("mAP@1: 95 % interval") < printed.index("GOAL 1")
    report = report_document(evaluation, analysis)
    assert report_document(evaluation).items() <= report.items()
    assert report["at_threshold"]["threshold_source"] == "the model"
    assert report["confusion"]["annotated_by_detected"][0] == [1, 0, 1, 0]
    assert [(one["label"], one["detected"], one["detected_team"]) for one in report["outcomes"]] == [
        ("PASS", "PASS", "left"),
        ("PASS", "GOAL", "right"),
    ]


@pytest.fixture
def evaluation() -> Evaluation:
    """Two of three spots are detected; one class has no spots."""
    spots = [Spot(1000, "PASS", "left"), Spot(5000, "PASS", "right"), Spot(9000, "DRIVE", "left")]
    predictions = [
        Prediction(1000, 1, "PASS", 0.9, "left"),
        Prediction(9000, 1, "DRIVE", 0.8, "left"),
        Prediction(2000, 1, "GOAL", 0.7, "right"),
    ]
    return score_documents({"game": spots}, {"game": predictions}, classes=CLASSES)
