"""Predictions as E2E-Spot and its descendants, such as T-DEED, write them, are scored as they are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bas.errors import DataError
from bas.evaluate.formats.soccernet import read_results
from bas.evaluate.scoring.score import score

EVENTS = [{"label": "PASS", "frame": 50}, {"label": "DRIVE", "frame": 100}, {"label": "PASS", "frame": 150}]


def listed(name: str, events: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    return [{"video": name, "events": events, "fps": 25.0, **more}]


def write(path: Path, content: Any) -> Path:
    text = json.dumps(content).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["pred-test.49.json", "pred-test.49.recall.json.gz"])
def test_a_perfect_prediction_scores_perfectly(tmp_path: Path, name: str) -> None:
    labels = write(tmp_path / "labels.json", listed("x1", [{**one, "comment": ""} for one in EVENTS]))
    scored = [{**one, "score": 0.9 - 0.1 * i} for i, one in enumerate(EVENTS)]
    predictions = write(tmp_path / name, listed("x1", scored))
    assert [(one.position_ms, one.confidence) for one in read_results(predictions)["x1"]] == [
        (2000, 0.9),
        (4000, 0.8),
        (6000, pytest.approx(0.7)),
    ]
    assert score(labels, predictions, classes=["PASS", "DRIVE"]).mean_ap == 1


def test_halves_that_are_named_by_their_number_alone_are_joined(tmp_path: Path) -> None:
    game = "league/2026/Home - Away"
    entries = [
        {"gameTime": f"{half} - 00:02", "position": "2000", "label": "PASS", "visibility": "visible"}
        for half in (1, 2)
    ]
    (tmp_path / "labels" / game).mkdir(parents=True)
    write(tmp_path / "labels" / game / "Labels-v2.json", {"annotations": entries})
    halves = [
        one
        for half in (1, 2)
        for one in listed(f"{game}/{half}", [{"label": "PASS", "frame": 50, "score": 0.5}])
    ]
    predictions = write(tmp_path / "pred.json", halves)
    assert score(tmp_path / "labels", predictions, classes=["PASS"]).mean_ap == 1


@pytest.mark.parametrize("content", [b"\x1f\x8bcut", gzip.compress(b"[]", mtime=0)[:-9], b"no gzip"])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pred.json.gz").write_bytes(content)
    with pytest.raises(DataError, match="damaged gzip file"):
        read_results(tmp_path / "pred.json.gz")


@pytest.mark.fault("S07")
def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "pred.json.gz", "wb", compresslevel=1) as file:
        for _ in range(65):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="larger than"):
        read_results(tmp_path / "pred.json.gz")
