"""SoccerNet's documents: writing preserves frames, and reading agrees with the official scorer."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bas.errors import DataError, MissingError
from bas.evaluate.formats.soccernet import (
    parse_predictions,
    read_results,
    read_scored_labels,
    results_document,
)
from bas.files import write_json
from bas.types import Detection, Spot

FPS = Fraction(25)
CLASSES = ("PASS", "DRIVE")


@pytest.mark.fault("L07")
def test_every_reader_recovers_the_exact_frames() -> None:
    frames = range(0, 200_000, 13)
    document = results_document(
        "game", {1: [Detection(frame, "PASS", 0.5) for frame in frames]}, classes=CLASSES, fps=FPS
    )
    positions = [entry["position"] for entry in document["predictions"]]
    assert [int(25 * (int(ms) / 1000)) for ms in positions] == list(frames)
    assert [int(int(ms) / 1000 * 25) for ms in positions] == list(frames)
    assert [round(float(ms) * 25 * 0.001) for ms in positions] == list(frames)


def test_a_document_has_the_form_of_the_official_ones(tmp_path: Path) -> None:
    detections = {1: [Detection(152_542, "PASS", 0.25, "left"), Detection(309, "DRIVE", 0.93)]}
    write_json(
        tmp_path / "r.json", results_document("league/season/game", detections, classes=CLASSES, fps=FPS)
    )
    assert json.loads((tmp_path / "r.json").read_text()) == {
        "UrlLocal": "league/season/game",
        "predictions": [
            {
                "gameTime": "1 - 00:12",
                "label": "DRIVE",
                "position": "12364",
                "half": "1",
                "confidence": "0.93",
            },
            {
                "gameTime": "1 - 101:41",
                "label": "PASS",
                "position": "6101684",
                "half": "1",
                "confidence": "0.25",
                "team": "left",
            },
        ],
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 150_000), st.sampled_from(CLASSES), st.floats(0, 1)), max_size=30),
    st.sampled_from([1, 2]),
)
def test_written_detections_read_back_unchanged(entries: list[tuple[int, str, float]], half: int) -> None:
    document = results_document(
        "game", {half: [Detection(*entry) for entry in entries]}, classes=CLASSES, fps=FPS
    )
    read = parse_predictions(json.loads(json.dumps(document)), source="game")
    highest: dict[tuple[int, str], float] = {}
    for frame, label, score in entries:
        highest[frame, label] = max(highest.get((frame, label), 0.0), score)
    assert {(int(25 * (p.position_ms / 1000)), p.label): p.confidence for p in read} == highest
    assert len(read) == len(highest)
    assert all(p.half == half for p in read)
    assert [p.position_ms for p in read] == sorted(p.position_ms for p in read)


@pytest.mark.fault("L14")
def test_the_highest_of_several_detections_on_a_frame_is_kept_and_of_two_teams_it_comes_last() -> None:
    detections = [
        Detection(10, "PASS", 0.3, "left"),
        Detection(10, "PASS", 0.9, "left"),
        Detection(10, "PASS", 0.5, "right"),
    ]
    written = results_document("game", {1: detections}, classes=CLASSES, fps=FPS)["predictions"]
    assert [(entry["team"], entry["confidence"]) for entry in written] == [("right", "0.5"), ("left", "0.9")]


@pytest.mark.fault("L11", "P21")
@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -0.01, 1.01])
def test_writing_refuses_a_confidence_outside_0_to_1(score: float) -> None:
    with pytest.raises(
        DataError, match=r"frame 7: invalid confidence .* of PASS.* Expected a number in \[0, 1\]"
    ):
        results_document("game", {1: [Detection(7, "PASS", score)]}, classes=CLASSES, fps=FPS)


@pytest.mark.fault("L03")
def test_writing_refuses_an_unknown_label() -> None:
    with pytest.raises(DataError, match="unknown label 'Pass'.* Expected one of PASS, DRIVE"):
        results_document("game", {1: [Detection(7, "Pass", 0.5)]}, classes=CLASSES, fps=FPS)


def test_values_may_be_numbers_or_strings() -> None:
    entry = {"gameTime": "x", "label": "PASS", "position": "12364", "half": "1", "confidence": "0.93"}
    as_numbers = {**entry, "position": 12364, "half": 1, "confidence": 0.93}
    strings, numbers = parse_predictions({"predictions": [entry, as_numbers]}, source="game")
    assert strings == numbers


def test_nan_and_repeated_keys_are_read_as_the_official_scorer_reads_them(tmp_path: Path) -> None:
    text = '{"predictions": [], "predictions": [{"label":"PASS","position":1,"half":1,"confidence":NaN}]}'
    (tmp_path / "results_spotting.json").write_text(text)
    ((prediction,),) = read_results(tmp_path).values()
    assert math.isnan(prediction.confidence)


BROKEN: dict[str, dict[str, Any]] = {
    "missing key 'confidence'": {"label": "PASS", "position": "1", "half": "1"},
    "missing key 'half'": {"label": "PASS", "position": "1", "confidence": "1"},
    "missing key 'position'": {"label": "PASS", "half": "1", "confidence": "1"},
    "missing key 'label'": {"position": "1", "half": "1", "confidence": "1"},
    "invalid literal for int": {"label": "PASS", "position": "3000.7", "half": "1", "confidence": "1"},
    "could not convert string to float": {
        "label": "PASS",
        "position": "1",
        "half": "1",
        "confidence": "high",
    },
    "is out of range": {"label": "PASS", "position": -7_200_001, "half": "1", "confidence": "1"},
    "is not a string": {"label": ["PASS"], "position": "1", "half": "1", "confidence": "1"},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_an_entry_that_crashes_the_official_scorer_is_named(reason: str) -> None:
    with pytest.raises(DataError, match=rf"game: predictions\[0\]: .*{reason}"):
        parse_predictions({"predictions": [BROKEN[reason]]}, source="game")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"\xef\xbb\xbf{}", "has no list 'predictions'"),
        (b"[1]", r"is a JSON list\. Expected an object"),
        (b'{"annotations": []}', "has no list 'predictions'"),
        (b'{"predictions": {}}', "has no list 'predictions'"),
        (b"[" * 100_000, "is not valid JSON"),
    ],
)
def test_a_document_of_another_kind_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "results_spotting.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_results(tmp_path)


def test_labels_are_read_as_the_official_scorer_reads_them(tmp_path: Path) -> None:
    annotations = [
        {
            "gameTime": "1 - 00:12",
            "label": "PASS",
            "position": "12360",
            "team": "left",
            "visibility": "visible",
        },
        {"gameTime": "2 - 01:02", "label": "Goal", "visibility": "not shown"},
        {"gameTime": "1 - 101:42", "label": "OUT"},
    ]
    (tmp_path / "Labels-ball.json").write_text(json.dumps({"annotations": annotations}))
    (spots,) = read_scored_labels(tmp_path).values()
    assert spots == (
        Spot(12_360, "PASS", "left"),
        Spot(62_000, "Goal", visible=False, half=2),
        Spot(102_000, "OUT"),  # the official scorer drops the first of three minute digits
    )


def test_a_malformed_game_time_is_refused_even_beside_a_valid_position(tmp_path: Path) -> None:
    annotation = {"gameTime": "1 - twelve", "label": "PASS", "position": "12360"}
    (tmp_path / "Labels-ball.json").write_text(json.dumps({"annotations": [annotation]}))
    with pytest.raises(DataError, match=r"annotations\[0\]: invalid literal for int"):
        read_scored_labels(tmp_path)


def test_label_files_of_any_name_are_separate_games(tmp_path: Path) -> None:
    entry = {"gameTime": "1 - 00:12", "label": "PASS", "position": "12360"}
    (tmp_path / "cup").mkdir()
    (tmp_path / "cup" / "final.json").write_text(json.dumps({"annotations": [entry]}))
    (tmp_path / "manifest.json").write_text(json.dumps({"final.json": {"bytes": 1}}))
    assert list(read_scored_labels(tmp_path)) == ["cup/final"]


def test_the_error_for_missing_documents_lists_the_files_found(tmp_path: Path) -> None:
    (tmp_path / "predictions.json").write_text("{}")
    with pytest.raises(MissingError, match=r"no results_spotting\.json\. It contains predictions\.json"):
        read_results(tmp_path)
    with pytest.raises(MissingError, match="does not exist"):
        read_results(tmp_path / "absent")
