"""Golden numbers, and a small set of labels and predictions to write to disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(scope="session")
def metric_golden() -> dict[str, Any]:
    """Numbers of SoccerNet 0.1.62 and sn-teamspotting, rounded to ten decimals."""
    result: dict[str, Any] = json.loads((GOLDEN / "metric_golden.json").read_text())
    return result


@pytest.fixture(scope="session")
def average_precision_golden() -> dict[str, Any]:
    """Numbers of SoccerNet 0.2.0 in full precision."""
    result: dict[str, Any] = json.loads((GOLDEN / "average_precision.json").read_text())
    return result


@pytest.fixture(scope="session")
def peaks_golden() -> dict[str, Any]:
    """Peaks of SciPy with the parameters of lRomul."""
    result: dict[str, Any] = json.loads((GOLDEN / "peaks.json").read_text())
    return result


@pytest.fixture
def match_folders(tmp_path: Path, metric_golden: dict[str, Any]) -> tuple[Path, Path]:
    """The two games of the golden documents on disk: a folder of labels, and one of results."""
    labels, results = tmp_path / "labels", tmp_path / "results"
    for game, documents in metric_golden["documents"].items():
        (labels / game).mkdir(parents=True)
        (results / game).mkdir(parents=True)
        (labels / game / "Labels-ball.json").write_text(json.dumps(documents["labels"]))
        (results / game / "results_spotting.json").write_text(json.dumps(documents["results"]))
    return labels, results
