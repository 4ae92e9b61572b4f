"""Whole evaluations: scores, errors and notes."""

from __future__ import annotations

import json
import math
import random
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from SoccerNet.Evaluation.ActionSpotting import evaluate as official
from SoccerNet.utils import getListGames
from support.matches import annotation, write_labels

from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES, recognize_classes
from bas.errors import DataError, MissingError, SettingsError
from bas.evaluate.formats.soccernet import read_results, read_scored_labels, results_document
from bas.evaluate.metric.tolerance import Tolerance, parse_tolerance, tolerance_name, window_text
from bas.evaluate.scoring.score import (
    Evaluation,
    official_framerate,
    score,
    score_detections,
    score_documents,
)
from bas.files import write_json
from bas.types import Detection, Prediction, Spot


@pytest.mark.parametrize("name", ["at1", "at2", "at5", "tight"])
def test_golden_documents(metric_golden: dict[str, Any], match_folders: tuple[Path, Path], name: str) -> None:
    expected = metric_golden["documents_expected"][name]
    evaluation = score(*match_folders, tolerance=name)
    assert evaluation.class_names == BALL_CLASSES
    assert evaluation.mean_ap == pytest.approx(expected["a_mAP"], abs=1e-9)
    assert [row.ap for row in evaluation.classes] == pytest.approx(expected["per_class"], abs=1e-9)


def test_the_traps_of_the_official_defaults_are_opt_in(
    metric_golden: dict[str, Any], match_folders: tuple[Path, Path]
) -> None:
    expected = {name: value["a_mAP"] for name, value in metric_golden["documents_expected"].items()}
    assert score(*match_folders).mean_ap == pytest.approx(expected["at1"], abs=1e-9)
    two = score(*match_folders, classes=BALL_CLASSES_2023)
    assert two.mean_ap == pytest.approx(expected["at1_default_dictionary_2class_trap"], abs=1e-9)
    assert any(
        note.startswith("annotations ignored: label is not one of the 2 classes (121)") for note in two.notes
    )
    slow = score(*match_folders, framerate=2)
    assert slow.mean_ap == pytest.approx(expected["at1_default_framerate_2"], abs=1e-9)


def test_golden_documents_of_two_halves_to_twelve_decimals(
    average_precision_golden: dict[str, Any], tmp_path: Path
) -> None:
    for case in average_precision_golden["cases"]:
        shutil.rmtree(tmp_path)
        for index, game in enumerate(case["games"]):
            _write(tmp_path / "labels" / f"game {index}" / "Labels-ball.json", game["labels"])
            _write(tmp_path / "results" / f"game {index}" / "results_spotting.json", game["results"])
        expected = case["expected"]
        evaluation = score(
            tmp_path / "labels",
            tmp_path / "results",
            tolerance=expected["tolerances_s"],
            framerate=expected["fps"],
        )
        measured = {
            "mAP": evaluation.mean_ap,
            "mAP_visible": evaluation.mean_ap_visible,
            "mAP_unshown": evaluation.mean_ap_unshown,
            "per_class": {row.label: row.ap for row in evaluation.classes},
            "per_class_visible": {row.label: row.ap_visible for row in evaluation.classes},
            "per_class_unshown": {row.label: row.ap_unshown for row in evaluation.classes},
        }
        for name, value in measured.items():
            assert value == pytest.approx(expected[name], rel=0, abs=1e-12), name


def test_detections_in_memory_score_what_their_files_score(tmp_path: Path) -> None:
    spots = {"game": [Spot(40 * frame, "PASS") for frame in range(0, 5000, 25)]}
    found = {
        "game": {1: [Detection(frame + frame % 13, "PASS", frame / 5000) for frame in range(0, 5000, 20)]}
    }
    in_memory = score_detections(spots, found, classes=BALL_CLASSES, fps=Fraction(25))
    document = results_document("game", found["game"], classes=BALL_CLASSES, fps=Fraction(25))
    write_json(tmp_path / "game" / "results_spotting.json", document)
    on_disk = score_documents(spots, read_results(tmp_path), classes=BALL_CLASSES)
    assert in_memory == on_disk
    assert 0 < in_memory.mean_ap < 1 / 12


def test_a_clock_other_than_the_scorers_is_converted() -> None:
    spots = {"game": [Spot(10_000, "PASS")]}
    hit = {"game": {1: [Detection(500, "PASS", 0.9)]}}
    evaluation = score_detections(spots, hit, classes=("PASS",), fps=Fraction(50))
    assert evaluation.mean_ap == 1.0


def test_a_wrapping_folder_is_recognized_and_noted(match_folders: tuple[Path, Path], tmp_path: Path) -> None:
    labels, results = match_folders
    plain = score(labels, results)
    archive = tmp_path / "submission.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in results.rglob("*.json"):
            packed.write(path, path.relative_to(results.parent))
    wrapped = score(labels, archive)
    assert wrapped.classes == plain.classes
    assert wrapped.notes[0].startswith("the predictions are inside results/ in submission.zip")


def test_one_document_is_scored_against_one_document(match_folders: tuple[Path, Path]) -> None:
    labels, results = (next(folder.rglob("*Reading*/*.json")) for folder in match_folders)
    alone = score(labels, results)
    assert len(alone.games) == 1
    assert alone.mean_ap > 0


def test_an_archive_of_another_game_holds_no_predictions_for_this_one(tmp_path: Path) -> None:
    _write(tmp_path / "labels" / "a" / "Labels-ball.json", {"annotations": []})
    with zipfile.ZipFile(tmp_path / "results.zip", "w") as packed:
        packed.writestr("b/results_spotting.json", '{"predictions": []}')
    with pytest.raises(MissingError, match="no predictions for 1 of 1 game with labels: a"):
        score(tmp_path / "labels", tmp_path / "results.zip")


def test_a_game_without_predictions_is_an_error(match_folders: tuple[Path, Path]) -> None:
    labels, results = match_folders
    shutil.rmtree(next(results.rglob("*Reading*")))
    with pytest.raises(MissingError, match=r"no predictions for 1 of 2 games with labels: .*Reading"):
        score(labels, results)
    stoke = [game for game in read_scored_labels(labels) if "Stoke" in game]
    assert score(labels, results, games=stoke).games == tuple(stoke)


def test_of_many_games_without_predictions_three_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    for game in "abcde":
        write_labels(tmp_path / "labels" / game / "Labels-ball.json", [annotation()])
    _write(tmp_path / "results" / "e" / "results_spotting.json", {"predictions": []})
    with pytest.raises(MissingError, match="for 4 of 5 games with labels: a, b, c and 1 more"):
        score(tmp_path / "labels", tmp_path / "results")


def test_requested_games_must_have_labels(match_folders: tuple[Path, Path]) -> None:
    with pytest.raises(MissingError, match="no labels for 1 of 1 game to score: a challenge game"):
        score(*match_folders, games=["a challenge game"])


def test_predictions_for_games_without_labels_are_noted(match_folders: tuple[Path, Path]) -> None:
    labels, results = match_folders
    shutil.rmtree(next(labels.rglob("*Reading*")))
    assert "games with predictions but no labels, not scored (1)" in score(labels, results).notes


@pytest.mark.fault("L12")
def test_an_empty_list_of_predictions_scores_0_and_is_noted() -> None:
    evaluation = score_documents({"game": [Spot(1000, "PASS")]}, {"game": []}, classes=BALL_CLASSES)
    assert evaluation.mean_ap == 0.0
    assert "game has an empty list of predictions" in evaluation.notes


@pytest.mark.fault("L15")
def test_a_class_without_ground_truth_counts_as_0_and_is_noted() -> None:
    evaluation = _score([Spot(1000, "PASS")], [_prediction(1000, "PASS"), _prediction(1000, "DRIVE")])
    assert [row.ap for row in evaluation.classes] == [1.0, 0.0]
    assert (evaluation.mean_ap, evaluation.mean_ap_occurring) == (0.5, 1.0)
    assert "no spots of DRIVE: officially AP 0, which lowers the mAP" in evaluation.notes


def test_without_any_annotation_the_mean_over_occurring_classes_is_nan() -> None:
    assert math.isnan(_score([], [_prediction(1000, "PASS")]).mean_ap_occurring)


@pytest.mark.fault("L14")
def test_the_later_of_two_predictions_on_a_frame_counts_and_is_noted() -> None:
    evaluation = _score(
        [Spot(1000, "PASS")], [_prediction(1000, "PASS", 0.9), _prediction(1010, "PASS", -1.0)]
    )
    assert evaluation.mean_ap == 0.0
    assert "predictions replaced by a later one of the same class on the same frame (1)" in evaluation.notes


def test_predictions_in_half_2_of_a_game_labeled_in_half_1_are_noted() -> None:
    evaluation = _score([Spot(1000, "PASS")], [_prediction(1000, "PASS", half=2)])
    assert evaluation.mean_ap == 0.0
    assert "predictions in half 2 of a game whose labels are all in half 1 (1)" in evaluation.notes


def test_teams_are_weighted_by_their_spots() -> None:
    spots = [Spot(1000 * k, "PASS", "left") for k in range(1, 4)] + [Spot(9000, "PASS", "right")]
    predictions = [_prediction(1000 * k, "PASS", team="left") for k in range(1, 4)] + [
        _prediction(20_000, "PASS", team="right")
    ]
    teams = _score(spots, predictions).teams
    assert teams is not None
    passes, drives = teams.actions
    assert (passes.ap, passes.num_left, passes.num_right) == (0.75, 3, 1)
    assert math.isnan(drives.ap)
    assert math.isnan(teams.mean_ap)
    assert teams.mean_ap_defined == 0.75


def test_team_scores_ignore_the_half_of_predictions_and_drop_annotations_outside_half_1() -> None:
    spots = [Spot(1000, "PASS", "left"), Spot(2000, "PASS", "left", half=2)]
    evaluation = _score(spots, [_prediction(1000, "PASS", half=2, team="left")])
    assert evaluation.teams is not None
    assert evaluation.teams.actions[0].ap == 1.0
    assert "annotations outside half 1, dropped by Team-mAP (1)" in evaluation.notes


@pytest.mark.parametrize(
    ("annotated", "predicted", "reason"),
    [
        ("home", ["left"], "the labels name home and away"),
        (None, ["left"], "the labels do not name the team"),
        ("left", [None], "the predictions name no teams"),
        ("left", ["left", "away"], "1 of 2 predictions name neither left nor right"),
    ],
)
def test_without_left_and_right_there_is_no_team_score_and_the_reason_is_noted(
    annotated: str | None, predicted: list[str | None], reason: str
) -> None:
    predictions = [_prediction(1000 * n, "PASS", team=team) for n, team in enumerate(predicted)]
    evaluation = _score([Spot(1000, "PASS", annotated)], predictions)
    assert evaluation.teams is None
    assert any(note.startswith("no Team-mAP: ") and reason in note for note in evaluation.notes)


@pytest.mark.parametrize(
    ("annotated", "predicted", "half", "expected"),
    [
        (["PASS", "GOAL"], [], 1, BALL_CLASSES),
        (["PASS", "DRIVE"], ["PASS"], 2, BALL_CLASSES_2023),
        (["PASS", "DRIVE"], ["PASS", "GOAL"], 1, BALL_CLASSES),
        (["PASS", "DRIVE"], ["PASS", "GOAL"], 2, BALL_CLASSES_2023),
        (["Goal"], ["PASS"], 1, SOCCERNET_V2_CLASSES),
        ([], ["Penalty"], 1, SOCCERNET_V2_CLASSES),
    ],
)
def test_the_vocabulary_is_recognized(
    annotated: list[str], predicted: list[str], half: int, expected: tuple[str, ...]
) -> None:
    spots = {"game": [Spot(0, label, half=half) for label in annotated]}
    assert recognize_classes(spots, {"game": [_prediction(0, label) for label in predicted]}) == expected


def test_soccernet_v2_is_scored_at_2_fps_unless_asked_otherwise(tmp_path: Path) -> None:
    """The numbers are those of the official scorer, called with its defaults for SoccerNet-v2 and at 25 fps."""
    generator = random.Random(4)
    game = getListGames("test", task="spotting")[0]
    spots = [
        annotation(generator.randrange(2_700_000), generator.choice(SOCCERNET_V2_CLASSES), half=half)
        | {"visibility": generator.choice(["visible", "not shown"])}
        for half in (1, 2)
        for _ in range(60)
    ]
    claims = [
        one
        | {
            "position": str(abs(int(one["position"]) + generator.randrange(-900, 900))),
            "half": one["gameTime"][0],
            "confidence": str(generator.random()),
        }
        for one in spots
    ]
    _write(tmp_path / "labels" / game / "Labels-v2.json", {"annotations": spots})
    _write(tmp_path / "made" / game / "results_spotting.json", {"predictions": claims})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("SoccerNet.Evaluation.ActionSpotting.getListGames", lambda **_: [game])
        for framerate in (2, 25):
            found = score(
                tmp_path / "labels",
                tmp_path / "made",
                tolerance="tight",
                framerate=None if framerate == 2 else framerate,
            )
            expected = official(
                str(tmp_path / "labels"), str(tmp_path / "made"), framerate=framerate, metric="tight"
            )
            assert found.framerate == framerate
            assert found.num_unshown == sum(one["visibility"] == "not shown" for one in spots)
            assert found.mean_ap == pytest.approx(expected["a_mAP"], abs=1e-12)
            assert found.mean_ap_visible == pytest.approx(expected["a_mAP_visible"], abs=1e-12)
            assert found.mean_ap_unshown == pytest.approx(expected["a_mAP_unshown"], abs=1e-12)
    assert official_framerate(BALL_CLASSES) == official_framerate(("Rally Start",)) == 25


@pytest.mark.parametrize("declared", ["class.txt", "OSL list"])
def test_predictions_of_classes_of_ones_own_are_scored(tmp_path: Path, declared: str) -> None:
    classes = ["Rally Start", "Net kill", "Smash"]
    events = [{"label": "Net kill", "position_ms": 400}, {"label": "Rally Start", "position_ms": 9000}]
    document: dict[str, Any] = {"data": [{"inputs": [{"type": "video", "path": "x.mp4"}], "events": events}]}
    if declared == "OSL list":
        document["labels"] = {"rally": {"type": "single_label", "labels": classes}}
    _write(tmp_path / "labels" / "test.json", document)
    if declared == "class.txt":
        (tmp_path / "labels" / "class.txt").write_text("\n".join(classes))
    claims = [
        {"label": one["label"], "position": one["position_ms"], "half": 1, "confidence": 0.9}
        for one in events
    ]
    _write(tmp_path / "made" / "x" / "results_spotting.json", {"predictions": claims})
    for labels in (tmp_path / "labels", tmp_path / "labels" / "test.json"):
        found = score(labels, tmp_path / "made")
        assert found.class_names == tuple(classes)
        assert found.mean_ap_occurring == 1


def test_an_unknown_vocabulary_is_an_error() -> None:
    with pytest.raises(DataError, match="Unknown class list: the labels are Kick"):
        recognize_classes({"game": [Spot(0, "Kick")]}, {"game": []})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1, (1.0,)),
        (0.5, (0.5,)),
        ("1", (1.0,)),
        ("at3", (3.0,)),
        ("tight", (1.0, 2.0, 3.0, 4.0, 5.0)),
        ("1,2", (1.0, 2.0)),
        ([5, 10], (5.0, 10.0)),
    ],
)
def test_a_tolerance_is_seconds_or_a_name(given: Tolerance, expected: tuple[float, ...]) -> None:
    assert parse_tolerance(given) == expected


@pytest.mark.parametrize("given", [0, -1, "", "wide", "2,1", "1,1", [], float("nan"), float("inf")])
def test_an_invalid_tolerance_is_an_error(given: Tolerance) -> None:
    with pytest.raises(SettingsError, match="Invalid tolerance .* Expected increasing seconds above 0"):
        parse_tolerance(given)


def test_a_window_is_printed_in_frames_to_either_side() -> None:
    assert window_text([1.0], framerate=25) == "1 s = ±12 frames at 25 fps"
    assert window_text([1.0, 2.0], framerate=2) == "1, 2 s = ±1, 2 frames at 2 fps"
    assert [tolerance_name(parse_tolerance(name)) for name in ("at1", "tight", "loose")] == [
        "1",
        "tight",
        "loose",
    ]


def _score(spots: Sequence[Spot], predictions: Sequence[Prediction]) -> Evaluation:
    labels: Mapping[str, Sequence[Spot]] = {"game": spots}
    return score_documents(labels, {"game": predictions}, classes=("PASS", "DRIVE"))


def _prediction(
    position_ms: int, label: str, confidence: float = 0.9, *, half: int = 1, team: str | None = None
) -> Prediction:
    return Prediction(position_ms, half, label, confidence, team)


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
