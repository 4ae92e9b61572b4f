"""`bas eval --predictions` of 100 matches of SoccerNet-v2: when the score is printed, and when the command ends."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bas.clock import game_time
from bas.console import show, table
from bas.dataset.classes import SOCCERNET_V2_CLASSES
from bas.files import write_json

_MATCHES = 100
_HALF_MS = 47 * 60_000
_COUNTS = (41, 514, 337, 579, 416, 1175, 1058, 1631, 6460, 3809, 2414, 2283, 382, 999, 431, 14, 8)
"""Spots per class, about as many as in the test matches of the real data set."""
_FALSE_POSITIVES = 7000  # 25,000 detections in total


def main() -> None:
    """Print wall-clock and CPU seconds at one window and at tight, with and without the interval."""
    rows = table(
        f"{_MATCHES} matches of 94 minutes, {len(SOCCERNET_V2_CLASSES)} classes, {sum(_COUNTS):,} spots",
        "tolerance",
        "resamples",
        "score printed",
        "end",
        "CPU seconds",
    )
    with tempfile.TemporaryDirectory() as folder:
        detections = _write(Path(folder))
        for tolerance, resamples in (("1", 1000), ("tight", 1000), ("1", 0)):
            printed, end, cpu = _command(Path(folder), tolerance, resamples)
            rows.add_row(tolerance, f"{resamples:,}", f"{printed:.1f} s", f"{end:.1f} s", f"{cpu:.1f}")
    show(rows, f"{detections:,} detections")


def _command(folder: Path, tolerance: str, resamples: int) -> tuple[float, float, float]:
    """Seconds until the table with the score is printed, until the end, and of CPU time."""
    arguments = ["eval", "--data", folder / "labels", "--predictions", folder / "predictions"]
    options = ["--tolerance", tolerance, "--resamples", str(resamples), "--json", folder / "report.json"]
    command = [sys.executable, "-m", "bas", *map(str, [*arguments, *options])]
    started, before = time.perf_counter(), _children_cpu()
    printed = float("nan")
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if np.isnan(printed) and line.startswith("mAP@"):
                printed = time.perf_counter() - started
    assert process.returncode == 0
    return printed, time.perf_counter() - started, _children_cpu() - before


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _write(folder: Path) -> int:
    """Write labels and predictions of a mediocre model; return the number of detections."""
    random = np.random.default_rng(0)
    spots = np.repeat(SOCCERNET_V2_CLASSES, _COUNTS)
    places = random.integers(0, 2 * _HALF_MS, len(spots)), random.integers(0, _MATCHES, len(spots))
    found = random.random(len(spots)) < 0.8
    near = np.clip(places[0] + random.normal(0, 600, len(spots)), 0, 2 * _HALF_MS - 1).astype(np.int64)
    labels = np.concatenate([spots[found], random.choice(spots, _FALSE_POSITIVES)])
    positions = np.concatenate([near[found], random.integers(0, 2 * _HALF_MS, _FALSE_POSITIVES)])
    matches = np.concatenate([places[1][found], random.integers(0, _MATCHES, _FALSE_POSITIVES)])
    confidences = np.concatenate([random.beta(4, 2, int(found.sum())), random.beta(1.5, 5, _FALSE_POSITIVES)])
    for match in range(_MATCHES):
        game = f"league/season/match {match:03d}"
        annotations = [
            _entry(int(places[0][i]), str(spots[i])) | {"team": "home", "visibility": "visible"}
            for i in np.flatnonzero(places[1] == match)
        ]
        predictions = [
            _entry(int(positions[i]), str(labels[i]))
            | {"half": str(1 + positions[i] // _HALF_MS), "confidence": str(confidences[i])}
            for i in np.flatnonzero(matches == match)
        ]
        write_json(
            folder / "labels" / game / "Labels-v2.json", {"UrlLocal": game, "annotations": annotations}
        )
        write_json(
            folder / "predictions" / game / "results_spotting.json",
            {"UrlLocal": game, "predictions": predictions},
        )
    return len(labels)


def _entry(place_ms: int, label: str) -> dict[str, str]:
    half, position = divmod(place_ms, _HALF_MS)
    return {"gameTime": game_time(half + 1, position), "label": label, "position": str(position)}


if __name__ == "__main__":
    main()
