"""Our score equals that of the installed SoccerNet package on the same files."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from SoccerNet.Evaluation.ActionSpotting import evaluate as official

from bas.dataset.classes import BALL_CLASSES, SOCCERNET_V2_CLASSES
from bas.evaluate.scoring.score import Evaluation, score


@pytest.mark.parametrize("packed", [False, True], ids=["folders", "archives"])
def test_ball_actions_of_the_test_split(
    match_folders: tuple[Path, Path], tmp_path: Path, packed: bool
) -> None:
    labels, results = match_folders
    if packed:
        labels, results = (_pack(folder, tmp_path / f"{folder.name}.zip") for folder in match_folders)
    expected = official(
        str(labels),
        str(results),
        split="test",
        framerate=25,
        metric="at1",
        label_files="Labels-ball.json",
        dataset="Ball",
        EVENT_DICTIONARY={label: index for index, label in enumerate(BALL_CLASSES)},
    )
    _assert_equal(score(labels, results), expected)


@pytest.mark.parametrize("metric", ["at1", "tight"])
def test_two_halves_of_seventeen_classes_with_all_entries_that_the_scorer_ignores(
    tmp_path: Path, metric: str
) -> None:
    rng = random.Random(3)
    labels, results = tmp_path / "labels", tmp_path / "results"
    for game in ("league/season/first", "league/season/second"):
        _write(labels / game / "Labels-v2.json", {"annotations": _annotations(rng)})
        _write(results / game / "results_spotting.json", {"predictions": _predictions(rng)})
    expected = official(
        str(labels),
        str(results),
        framerate=2,
        metric=metric,
        label_files="Labels-v2.json",
        dataset=None,
        EVENT_DICTIONARY={label: index for index, label in enumerate(SOCCERNET_V2_CLASSES)},
    )
    evaluation = score(labels, results, tolerance=metric, framerate=2)
    _assert_equal(evaluation, expected)
    notes = " ".join(evaluation.notes)
    assert "annotations ignored: label is not one of the 17 classes" in notes
    assert "predictions ignored: label is not one of the 17 classes" in notes
    assert "annotations ignored: half is neither 1 nor 2" in notes
    assert "predictions ignored: half is neither 1 nor 2" in notes
    assert "predictions ignored: confidence is NaN or below 0" in notes
    assert "predictions with confidence above 1, which no threshold removes" in notes
    assert "predictions replaced by a later one of the same class on the same frame" in notes
    assert "predictions before the start, wrapped to the end of the 120 minutes" in notes
    assert "predictions after 120 minutes, moved onto the last frame" in notes


def _assert_equal(evaluation: Evaluation, expected: dict[str, Any]) -> None:
    assert evaluation.mean_ap == expected["a_mAP"]
    assert evaluation.mean_ap_visible == expected["a_mAP_visible"]
    assert evaluation.mean_ap_unshown == expected["a_mAP_unshown"]
    assert [row.ap for row in evaluation.classes] == list(expected["a_mAP_per_class"])
    assert [row.ap_visible for row in evaluation.classes] == list(expected["a_mAP_per_class_visible"])
    assert [row.ap_unshown for row in evaluation.classes] == list(expected["a_mAP_per_class_unshown"])


def _annotations(rng: random.Random) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    for _ in range(300):
        milliseconds = rng.randrange(0, 2_700_000)
        minutes, seconds = divmod(milliseconds // 1000, 60)
        annotation = {
            "gameTime": f"{rng.choice('123')} - {minutes:02d}:{seconds:02d}",
            "label": rng.choice([*SOCCERNET_V2_CLASSES, "No such action"]),
            "team": rng.choice(["home", "away", "not applicable"]),
            "visibility": rng.choice(["visible", "visible", "not shown"]),
        }
        if rng.random() < 0.8:
            annotation["position"] = str(milliseconds)
        annotations.append(annotation)
    return annotations


def _predictions(rng: random.Random) -> list[dict[str, Any]]:
    predictions: list[dict[str, Any]] = []
    for _ in range(1500):
        milliseconds = rng.randrange(-2000, 2_700_000)
        predictions.append(
            {
                "gameTime": "not read",
                "label": rng.choice([*SOCCERNET_V2_CLASSES, "penalty"]),
                "position": rng.choice([milliseconds, str(milliseconds), float(milliseconds)]),
                "half": rng.choice(["1", 2, "2", 1, "3"]),
                "confidence": rng.choice(
                    [rng.random(), str(round(rng.random(), 1)), 1.5, float("nan"), -0.2]
                ),
            }
        )
    predictions.append({"label": "Goal", "position": 9_000_000, "half": 1, "confidence": 0.5})
    predictions.append({"label": "Goal", "position": -60_000, "half": 1, "confidence": 0.5})
    return predictions


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))


def _pack(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*.json")):
            packed.write(path, path.relative_to(folder))
    return archive
