"""`bas eval` of two 95-minute matches from saved predictions and dense scores, in total and by step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from bas.clock import game_time
from bas.config import PostprocessSettings
from bas.console import show, table
from bas.dataset.classes import BALL_CLASSES
from bas.evaluate.analysis.analysis import analyze
from bas.evaluate.analysis.bootstrap import resampled_mean_ap
from bas.evaluate.dense_scores import SCORES_FILE, read_scores, write_scores
from bas.evaluate.formats.soccernet import RESULTS_FILE, results_document
from bas.evaluate.postprocess.detections import detect
from bas.evaluate.scoring.score import Documents, Evaluation, read_documents, score_documents
from bas.files import write_json
from bas.types import Scores

_GAMES = "league/season/first", "league/season/second"
_COUNTS = (712, 614, 102, 109, 79, 37, 52, 24, 32, 11, 3, 2)
"""Spots per class in one match: the mean of seven real matches."""
_FRAMES = 95 * 60 * 25
_TEAMS = "left", "right"
_SIGMA_FRAMES = 5
_FALSE_POSITIVES = 4  # false peaks per spot
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall-clock time, and CPU time, which other work on the machine affects less."""

    wall: float
    cpu: float


def main() -> None:
    """Assert that the command and the library give the same results, then print times."""
    with tempfile.TemporaryDirectory() as folder:
        labels, saved = Path(folder) / "labels", Path(folder) / "saved"
        for seed, game in enumerate(_GAMES):
            _write_match(labels / game, saved / game, game, seed=seed)
        command, report = _timed(lambda: _command(labels, saved))
        documents = read_documents(labels, saved)
        scores = {game: read_scores(saved / game / SCORES_FILE) for game in _GAMES}
        scoring, evaluation = _timed(lambda: _score(documents))
        analyzing, analysis = _timed(
            lambda: analyze(evaluation, documents.labels, documents.predictions, scores=scores)
        )
        resampling, _ = _timed(lambda: _bootstrap(documents))
        assert report["mAP"] == evaluation.mean_ap
        assert report["teams"]["mAP"] == evaluation.teams.mean_ap
        assert report["interval"] == [analysis.interval.low, analysis.interval.high]
        assert report["windows"]["count"] == analysis.window_accuracy.count
        _print_table(
            documents,
            {
                "bas eval --predictions --json, total": command,
                "  official score and Team-mAP": scoring,
                "  analysis": analyzing,
                f"    {_RESAMPLES:,} bootstrap resamples of mAP@1": resampling,
            },
        )


def _print_table(documents: Documents, measured: Mapping[str, Seconds]) -> None:
    num_detections = sum(len(detections) for detections in documents.predictions.values())
    num_spots = sum(len(spots) for spots in documents.labels.values())
    rows = table(
        f"Two 95-minute matches, 12 classes, two teams: {num_spots:,} spots, {num_detections:,} detections",
        "step",
        "seconds",
        "CPU seconds",
    )
    for step, seconds in measured.items():
        rows.add_row(step, f"{seconds.wall:.1f}", f"{seconds.cpu:.1f}")
    show(rows)


def _command(labels: Path, saved: Path) -> dict[str, Any]:
    """Run the command as a user does, including interpreter start and imports."""
    report = saved / "report.json"
    arguments = ["eval", "--data", labels, "--predictions", saved, "--tolerance", "1", "--json", report]
    subprocess.run([sys.executable, "-m", "bas", *map(str, arguments)], check=True, capture_output=True)
    document: dict[str, Any] = json.loads(report.read_text())
    return document


def _score(documents: Documents) -> Evaluation:
    return score_documents(documents.labels, documents.predictions, classes=documents.classes)


def _bootstrap(documents: Documents) -> Float[np.ndarray, "systems resamples"]:
    return resampled_mean_ap(
        documents.labels, [documents.predictions], classes=documents.classes, resamples=_RESAMPLES
    )


def _write_match(labels: Path, saved: Path, game: str, *, seed: int) -> None:
    """Write labels, and the predictions and dense scores of a mediocre model."""
    random = np.random.default_rng(seed)
    columns = tuple(f"{label}-{team}" for label in BALL_CLASSES for team in _TEAMS)
    values = random.random((_FRAMES, len(columns)), dtype=np.float32) * 0.01
    annotations = []
    for column, count in enumerate(np.repeat([-(-count // 2) for count in _COUNTS], len(_TEAMS))):
        label, team = columns[column].split("-")
        frames = random.choice(_FRAMES, count, replace=False)
        annotations += [_annotation(int(frame), label, team) for frame in np.sort(frames)]
        near = np.rint(frames + random.normal(0, 6, count))[random.random(count) < 0.8].astype(np.int64)
        _add_peaks(values, column, near, random.beta(4, 2, len(near)))
        elsewhere = random.choice(_FRAMES, _FALSE_POSITIVES * count, replace=False)
        _add_peaks(values, column, elsewhere, random.beta(1.5, 5, len(elsewhere)))
    write_json(labels / "Labels-ball.json", {"UrlLocal": game, "annotations": annotations})
    scores = Scores(values, columns, Fraction(25))
    events = {1: detect(scores, PostprocessSettings())}
    write_scores(saved / SCORES_FILE, {1: scores})
    write_json(saved / RESULTS_FILE, results_document(game, events, classes=BALL_CLASSES, fps=scores.fps))


def _annotation(frame: int, label: str, team: str) -> dict[str, str]:
    return {
        "gameTime": game_time(1, 40 * frame),
        "label": label,
        "position": str(40 * frame),
        "team": team,
        "visibility": "visible",
    }


def _add_peaks(
    values: Float[np.ndarray, "frames classes"],
    column: int,
    centers: Int64[np.ndarray, "n"],
    heights: Sequence[float] | Float[np.ndarray, "n"],
) -> None:
    """Add a Gaussian peak at each center."""
    for center, height in zip(centers.tolist(), heights, strict=True):
        start, stop = max(0, center - 3 * _SIGMA_FRAMES), min(_FRAMES, center + 3 * _SIGMA_FRAMES)
        offsets = (np.arange(start, stop) - center) / _SIGMA_FRAMES
        values[start:stop, column] = np.maximum(
            values[start:stop, column], height * np.exp(-(offsets**2) / 2)
        )


def _timed(work: Callable[[], Any]) -> tuple[Seconds, Any]:
    """Measure the time of `work`, including that of child processes."""
    wall, cpu = time.perf_counter(), _cpu()
    result = work()
    return Seconds(time.perf_counter() - wall, _cpu() - cpu), result


def _cpu() -> float:
    return sum(os.times()[:4])


if __name__ == "__main__":
    main()
