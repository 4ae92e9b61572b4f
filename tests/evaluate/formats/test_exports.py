"""Detections exported as CSV, subtitles and OSL JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.matches import annotation, write_labels
from support.media import write_video

from bas.config import PostprocessSettings
from bas.dataset import BALL_CLASSES, labels_of, open_dataset
from bas.evaluate.formats.exports import subtitles, write_exports, write_osl
from bas.evaluate.formats.osl import PredictedGame
from bas.evaluate.formats.soccernet import read_results
from bas.evaluate.scoring.score import score
from bas.types import Detection, Game, Video

FPS = Fraction(25)
DETECTIONS = [
    Detection(31, "PASS", 0.934, "left"),
    Detection(31, "HIGH PASS", 0.51, "right"),
    Detection(75, "OUT", 0.2),
]


def game(folder: Path, *, fps: int = 25) -> Game:
    return Game("cup/final", (Video(write_video(folder / "cup" / "final.mp4", 100, fps=fps), 1),), None)


def test_the_csv_has_one_row_per_detection(tmp_path: Path) -> None:
    write_exports(
        tmp_path, PredictedGame(game(tmp_path), {1: DETECTIONS}, FPS), postprocess=PostprocessSettings()
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "events.csv").read_text())))
    assert rows[0] == {
        "half": "1",
        "position_ms": "1244",
        "time": "00:01",
        "frame": "31",
        "label": "PASS",
        "team": "left",
        "confidence": "0.9340",
    }
    assert [(row["label"], row["team"]) for row in rows] == [
        ("PASS", "left"),
        ("HIGH PASS", "right"),
        ("OUT", ""),
    ]


def test_subtitles_are_named_after_the_video_and_leave_out_detections_below_the_threshold(
    tmp_path: Path,
) -> None:
    predicted = PredictedGame(game(tmp_path), {1: DETECTIONS}, FPS)
    write_exports(tmp_path, predicted, postprocess=PostprocessSettings())
    assert (tmp_path / "final.srt").read_text() == (
        "1\n00:00:01,244 --> 00:00:02,744\nHIGH PASS right  51 %\nPASS left  93 %\n"
    )
    postprocess = PostprocessSettings(thresholds={"HIGH PASS": 0.6, "OUT": 0.2})
    write_exports(tmp_path, predicted, postprocess=postprocess)
    text = (tmp_path / "final.srt").read_text()
    assert [name in text for name in ("PASS left", "HIGH PASS", "OUT")] == [True, False, True]


_CUE = re.compile(r"(\d+)\n(\S+) --> (\S+)\n((?:.+\n)+)")


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(BALL_CLASSES), st.floats(0, 1)), max_size=30))
def test_cues_do_not_overlap_and_show_each_detection_for_a_second_and_a_half(
    entries: list[tuple[int, str, float]],
) -> None:
    detections = [Detection(*entry) for entry in entries]
    text = subtitles(detections, fps=FPS)
    cues = _CUE.findall(text)
    assert "\n".join(f"{n}\n{a} --> {b}\n{lines}" for n, a, b, lines in cues) == text
    times = [(_ms(start), _ms(stop)) for _, start, stop, _ in cues]
    assert all(start < stop for start, stop in times)
    assert all(one[1] <= other[0] for one, other in pairwise(times))
    shown = sum((b - a) * len(lines.splitlines()) for (a, b), (*_, lines) in zip(times, cues, strict=True))
    assert shown == 1500 * len(detections)


def _ms(text: str) -> int:
    hours, minutes, seconds = text.replace(",", ".").split(":")
    return round(1000 * (3600 * int(hours) + 60 * int(minutes) + float(seconds)))


def test_osl_json_has_both_confidences_the_frame_of_the_video_and_its_relative_path(tmp_path: Path) -> None:
    predicted = PredictedGame(game(tmp_path, fps=50), {1: DETECTIONS}, FPS)
    write_osl(tmp_path / "out" / "deep", [predicted], classes=BALL_CLASSES, split="test")
    document = json.loads((tmp_path / "out" / "deep" / "osl.json").read_text())
    assert document["task"] == "localization"
    assert document["metadata"]["type"] == "predictions"
    assert document["labels"]["ball_action"]["labels"] == list(BALL_CLASSES)
    (item,) = document["data"]
    assert item["id"] == "cup/final"
    assert item["inputs"] == [{"type": "video", "path": "../../cup/final.mp4", "fps": 50.0}]
    assert item["events"][0] == {
        "head": "ball_action",
        "label": "PASS",
        "gameTime": "1 - 00:01",
        "position_ms": 1244,
        "frame": 62,
        "confidence": 0.934,
        "confidence_score": 0.934,
        "team": "left",
    }
    assert "team" not in item["events"][2]


def test_the_relative_path_of_a_video_is_valid_from_a_linked_folder(tmp_path: Path) -> None:
    predicted = PredictedGame(game(tmp_path), {1: DETECTIONS}, FPS)
    (tmp_path / "big disk" / "runs").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "big disk" / "runs")
    write_osl(tmp_path / "runs", [predicted], classes=BALL_CLASSES)
    (item,) = json.loads((tmp_path / "runs" / "osl.json").read_text())["data"]
    assert (tmp_path / "runs" / item["inputs"][0]["path"]).samefile(predicted.game.videos[0].path)


def test_osl_json_can_be_read_back_as_labels_and_as_predictions(tmp_path: Path) -> None:
    write_osl(
        tmp_path, [PredictedGame(game(tmp_path), {1: DETECTIONS}, FPS)], classes=BALL_CLASSES, split="test"
    )
    dataset = open_dataset(tmp_path)
    (found,) = dataset.split("test")
    spots = labels_of(found, dataset.classes).spots
    assert [(spot.position_ms, spot.label, spot.team) for spot in spots] == [
        (1244, "PASS", "left"),
        (1244, "HIGH PASS", "right"),
        (3004, "OUT", None),
    ]
    predictions = read_results(tmp_path / "osl.json")["cup/final"]
    assert [prediction.confidence for prediction in predictions] == [0.934, 0.51, 0.2]


def test_each_half_is_a_separate_item(tmp_path: Path) -> None:
    videos = tuple(Video(write_video(tmp_path / "game" / f"{half}_224p.mkv", 50), half) for half in (1, 2))
    detections = {1: DETECTIONS[:1], 2: DETECTIONS[1:2]}
    predicted = PredictedGame(Game("game", videos, None), detections, FPS)
    write_exports(tmp_path, predicted, postprocess=PostprocessSettings())
    write_osl(tmp_path, [predicted], classes=BALL_CLASSES)
    assert "PASS left" in (tmp_path / "1_224p.srt").read_text()
    assert "HIGH PASS right" in (tmp_path / "2_224p.srt").read_text()
    data = json.loads((tmp_path / "osl.json").read_text())["data"]
    assert [item["id"] for item in data] == ["game/1_224p", "game/2_224p"]
    labels = [annotation(1244), annotation(1244, "HIGH PASS", half=2)]
    write_labels(tmp_path / "labels" / "game" / "Labels-ball.json", labels)
    evaluation = score(tmp_path / "labels", tmp_path / "osl.json")
    assert [row.ap for row in evaluation.classes if row.num_spots] == [1.0, 1.0]
    assert [row["half"] for row in csv.DictReader(io.StringIO((tmp_path / "events.csv").read_text()))] == [
        "1",
        "2",
    ]
