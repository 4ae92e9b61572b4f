"""Whole evaluations: what is scored, what is refused, and what is said about the rest."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from matches import annotation, write_labels

from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.errors import DataError, MissingError, SettingsError
from bas.evaluate.score import Evaluation, score, score_detections, score_documents
from bas.evaluate.soccernet import Prediction, read_labels, read_results, results_document, write_results
from bas.evaluate.tolerance import Tolerance, parse_tolerance, tolerance_name, window_text
from bas.evaluate.vocabulary import recognize_classes
from bas.types import Detection, Spot


@pytest.mark.parametrize("name", ["at1", "at2", "at5", "tight"])
def test_golden_documents(metric_golden: dict[str, Any], match_folders: tuple[Path, Path], name: str) -> None:
    expected = metric_golden["documents_expected"][name]
    evaluation = score(*match_folders, tolerance=name)
    assert evaluation.classes == BALL_CLASSES
    assert evaluation.mean_ap == pytest.approx(expected["a_mAP"], abs=1e-9)
    assert [row.ap for row in evaluation.rows] == pytest.approx(expected["per_class"], abs=1e-9)


def test_the_traps_of_the_official_defaults_are_walked_into_only_on_request(
    metric_golden: dict[str, Any], match_folders: tuple[Path, Path]
) -> None:
    expected = {name: value["a_mAP"] for name, value in metric_golden["documents_expected"].items()}
    assert score(*match_folders).mean_ap == pytest.approx(expected["at1"], abs=1e-9)
    two = score(*match_folders, classes=BALL_CLASSES_2023)
    assert two.mean_ap == pytest.approx(expected["at1_default_dictionary_2class_trap"], abs=1e-9)
    assert any(note.startswith("annotations ignored, of none of the 2 classes (121)") for note in two.notes)
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
            "per_class": {row.label: row.ap for row in evaluation.rows},
            "per_class_visible": {row.label: row.ap_visible for row in evaluation.rows},
            "per_class_unshown": {row.label: row.ap_unshown for row in evaluation.rows},
        }
        for name, value in measured.items():
            assert value == pytest.approx(expected[name], rel=0, abs=1e-12), name


def test_detections_at_hand_score_what_their_files_score(tmp_path: Path) -> None:
    spots = {"game": [Spot(40 * frame, "PASS") for frame in range(0, 5000, 25)]}
    found = {
        "game": {1: [Detection(frame + frame % 13, "PASS", frame / 5000) for frame in range(0, 5000, 20)]}
    }
    at_hand = score_detections(spots, found, classes=BALL_CLASSES, fps=Fraction(25))
    document = results_document("game", found["game"], classes=BALL_CLASSES, fps=Fraction(25))
    write_results(tmp_path / "game" / "results_spotting.json", document)
    on_disk = score_documents(spots, read_results(tmp_path), classes=BALL_CLASSES)
    assert at_hand == on_disk
    assert 0 < at_hand.mean_ap < 1 / 12


def test_another_clock_than_the_scorers_is_converted() -> None:
    spots = {"game": [Spot(10_000, "PASS")]}
    hit = {"game": {1: [Detection(500, "PASS", 0.9)]}}
    evaluation = score_detections(spots, hit, classes=("PASS",), fps=Fraction(50))
    assert evaluation.mean_ap == 1.0


def test_a_wrapping_folder_is_recognized_and_told(match_folders: tuple[Path, Path], tmp_path: Path) -> None:
    labels, results = match_folders
    plain = score(labels, results)
    archive = tmp_path / "submission.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in results.rglob("*.json"):
            packed.write(path, path.relative_to(results.parent))
    wrapped = score(labels, archive)
    assert wrapped.rows == plain.rows
    assert wrapped.notes[0].startswith("the predictions stand inside results/ in submission.zip")


def test_one_document_is_scored_against_one_document(match_folders: tuple[Path, Path]) -> None:
    labels, results = (next(folder.rglob("*Reading*/*.json")) for folder in match_folders)
    alone = score(labels, results)
    assert len(alone.games) == 1
    assert alone.mean_ap > 0


def test_an_archive_of_another_game_is_no_prediction_of_this_one(tmp_path: Path) -> None:
    _write(tmp_path / "labels" / "a" / "Labels-ball.json", {"annotations": []})
    with zipfile.ZipFile(tmp_path / "results.zip", "w") as packed:
        packed.writestr("b/results_spotting.json", '{"predictions": []}')
    with pytest.raises(MissingError, match="no predictions for 1 of the 1 games with labels: a"):
        score(tmp_path / "labels", tmp_path / "results.zip")


def test_a_game_without_a_file_is_refused(match_folders: tuple[Path, Path]) -> None:
    labels, results = match_folders
    shutil.rmtree(next(results.rglob("*Reading*")))
    with pytest.raises(MissingError, match=r"no predictions for 1 of the 2 games with labels: .*Reading"):
        score(labels, results)
    stoke = [game for game in read_labels(labels) if "Stoke" in game]
    assert score(labels, results, games=stoke).games == tuple(stoke)


def test_of_many_games_without_a_file_the_rest_are_counted(tmp_path: Path) -> None:
    for game in "abcde":
        write_labels(tmp_path / "labels" / game / "Labels-ball.json", [annotation()])
    _write(tmp_path / "results" / "e" / "results_spotting.json", {"predictions": []})
    with pytest.raises(MissingError, match="for 4 of the 5 games with labels: a, b, c and 1 more"):
        score(tmp_path / "labels", tmp_path / "results")


def test_games_that_are_asked_for_must_have_labels(match_folders: tuple[Path, Path]) -> None:
    with pytest.raises(MissingError, match="no labels of 1 of 1 games to score: a challenge game"):
        score(*match_folders, games=["a challenge game"])


def test_predictions_of_more_games_than_labels_are_told(match_folders: tuple[Path, Path]) -> None:
    labels, results = match_folders
    shutil.rmtree(next(labels.rglob("*Reading*")))
    assert "games with predictions but no labels, not scored (1)" in score(labels, results).notes


def test_an_empty_list_of_predictions_scores_0_and_is_told() -> None:
    evaluation = score_documents({"game": [Spot(1000, "PASS")]}, {"game": []}, classes=BALL_CLASSES)
    assert evaluation.mean_ap == 0.0
    assert "game has an empty list of predictions" in evaluation.notes


def test_a_class_without_ground_truth_counts_0_and_is_told() -> None:
    evaluation = _score([Spot(1000, "PASS")], [_claim(1000, "PASS"), _claim(1000, "DRIVE")])
    assert [row.ap for row in evaluation.rows] == [1.0, 0.0]
    assert (evaluation.mean_ap, evaluation.mean_ap_occurring) == (0.5, 1.0)
    assert "no ground truth of DRIVE: officially AP 0, which lowers the mAP" in evaluation.notes


def test_nothing_annotated_at_all_has_no_mean_over_occurring_classes() -> None:
    assert math.isnan(_score([], [_claim(1000, "PASS")]).mean_ap_occurring)


def test_the_later_of_two_predictions_on_a_cell_counts_and_is_told() -> None:
    evaluation = _score([Spot(1000, "PASS")], [_claim(1000, "PASS", 0.9), _claim(1010, "PASS", -1.0)])
    assert evaluation.mean_ap == 0.0
    assert "predictions replaced by a later one of their class on the same frame (1)" in evaluation.notes


def test_predictions_in_half_2_of_a_game_in_one_file_are_told() -> None:
    evaluation = _score([Spot(1000, "PASS")], [_claim(1000, "PASS", half=2)])
    assert evaluation.mean_ap == 0.0
    assert "predictions in half 2 of a game whose labels are all in half 1 (1)" in evaluation.notes


def test_teams_are_weighted_by_their_spots() -> None:
    spots = [Spot(1000 * k, "PASS", "left") for k in range(1, 4)] + [Spot(9000, "PASS", "right")]
    claims = [_claim(1000 * k, "PASS", team="left") for k in range(1, 4)] + [
        _claim(20_000, "PASS", team="right")
    ]
    teams = _score(spots, claims).teams
    assert teams is not None
    passes, drives = teams.rows
    assert (passes.ap, passes.num_left, passes.num_right) == (0.75, 3, 1)
    assert math.isnan(drives.ap)
    assert math.isnan(teams.mean_ap)
    assert teams.mean_ap_defined == 0.75


def test_team_scores_read_no_half_of_predictions_and_drop_annotations_outside_half_1() -> None:
    spots = [Spot(1000, "PASS", "left"), Spot(2000, "PASS", "left", half=2)]
    evaluation = _score(spots, [_claim(1000, "PASS", half=2, team="left")])
    assert evaluation.teams is not None
    assert evaluation.teams.rows[0].ap == 1.0
    assert "annotations that Team-mAP drops, outside half 1 (1)" in evaluation.notes


@pytest.mark.parametrize(
    ("annotated", "claimed", "reason"),
    [
        ("home", ["left"], "the labels say home and away"),
        (None, ["left"], "the labels do not say which team"),
        ("left", [None], "the predictions name no teams"),
        ("left", ["left", "away"], "1 of 2 predictions name no team"),
    ],
)
def test_without_left_and_right_there_is_no_team_score_and_the_reason_is_told(
    annotated: str | None, claimed: list[str | None], reason: str
) -> None:
    claims = [_claim(1000 * n, "PASS", team=team) for n, team in enumerate(claimed)]
    evaluation = _score([Spot(1000, "PASS", annotated)], claims)
    assert evaluation.teams is None
    assert any(note.startswith("no Team-mAP: ") and reason in note for note in evaluation.notes)


@pytest.mark.parametrize(
    ("annotated", "claimed", "half", "expected"),
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
    annotated: list[str], claimed: list[str], half: int, expected: tuple[str, ...]
) -> None:
    spots = {"game": [Spot(0, label, half=half) for label in annotated]}
    assert recognize_classes(spots, {"game": [_claim(0, label) for label in claimed]}) == expected


def test_an_unknown_vocabulary_is_refused() -> None:
    with pytest.raises(DataError, match="The labels Kick belong to no known vocabulary"):
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
def test_what_is_no_tolerance_is_refused(given: Tolerance) -> None:
    with pytest.raises(SettingsError, match="is no tolerance. Give seconds above 0"):
        parse_tolerance(given)


def test_a_window_is_told_in_frames_to_either_side() -> None:
    assert window_text([1.0], framerate=25) == "1 s = ±12 frames at 25 fps"
    assert window_text([1.0, 2.0], framerate=2) == "1, 2 s = ±1, 2 frames at 2 fps"
    assert [tolerance_name(parse_tolerance(name)) for name in ("at1", "tight", "loose")] == [
        "1",
        "tight",
        "loose",
    ]


def _score(spots: Sequence[Spot], claims: Sequence[Prediction]) -> Evaluation:
    labels: Mapping[str, Sequence[Spot]] = {"game": spots}
    return score_documents(labels, {"game": claims}, classes=("PASS", "DRIVE"))


def _claim(
    position_ms: int, label: str, confidence: float = 0.9, *, half: int = 1, team: str | None = None
) -> Prediction:
    return Prediction(position_ms, half, label, confidence, team)


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
