"""`bas eval` of two 95-minute matches from saved predictions and dense scores, and what of it takes how long."""

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
from bas.config import PeaksSettings
from bas.console import show, table
from bas.dataset.classes import BALL_CLASSES
from bas.evaluate.analysis import analyze
from bas.evaluate.bootstrap import resampled_mean_ap
from bas.evaluate.dense import SCORES_FILE, read_scores, write_scores
from bas.evaluate.peaks import detections
from bas.evaluate.score import Documents, Evaluation, read_documents, score_documents
from bas.evaluate.soccernet import RESULTS_FILE, results_document, write_results
from bas.files import write_json
from bas.types import Scores

_GAMES = "league/season/first", "league/season/second"
_COUNTS = 712, 614, 102, 109, 79, 37, 52, 24, 32, 11, 3, 2  # of one match: a seventh of seven real ones
_FRAMES = 95 * 60 * 25
_TEAMS = "left", "right"
_SPREAD_FRAMES = 5
_CLUTTER = 4  # bumps beside actions, per action
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Seconds:
    """By the clock, and of computing, which other work on the machine does not lengthen as much."""

    wall: float
    cpu: float


def main() -> None:
    """Assert that the command finds what the library finds, then print seconds."""
    with tempfile.TemporaryDirectory() as folder:
        labels, saved = Path(folder) / "labels", Path(folder) / "saved"
        for seed, game in enumerate(_GAMES):
            _write_match(labels / game, saved / game, game, seed=seed)
        command, report = _timed(lambda: _command(labels, saved))
        found = read_documents(labels, saved)
        scores = {game: read_scores(saved / game / SCORES_FILE) for game in _GAMES}
        scoring, evaluation = _timed(lambda: _score(found))
        analyzing, analysis = _timed(
            lambda: analyze(evaluation, found.labels, found.predictions, scores=scores)
        )
        resampling, _ = _timed(lambda: _bootstrap(found))
        assert report["mAP"] == evaluation.mean_ap
        assert report["teams"]["mAP"] == evaluation.teams.mean_ap
        assert report["interval"] == [analysis.interval.low, analysis.interval.high]
        assert report["windows"]["count"] == analysis.windows.count
        _tell(
            found,
            {
                "bas eval --predictions --json, all of it": command,
                "official score and Team-mAP": scoring,
                "analysis": analyzing,
                f"of it {_RESAMPLES:,} resamples of mAP@1": resampling,
            },
        )


def _tell(found: Documents, taken: Mapping[str, Seconds]) -> None:
    claims = sum(len(claimed) for claimed in found.predictions.values())
    spots = sum(len(annotated) for annotated in found.labels.values())
    rows = table(
        f"Two 95-minute matches, 12 classes, two teams: {spots:,} actions, {claims:,} claims",
        "",
        "s",
        "CPU s",
    )
    for what, seconds in taken.items():
        rows.add_row(what, f"{seconds.wall:.1f}", f"{seconds.cpu:.1f}")
    show(rows)


def _command(labels: Path, saved: Path) -> dict[str, Any]:
    """The command as a user gives it, interpreter and imports included."""
    report = saved / "report.json"
    arguments = ["eval", "--data", labels, "--predictions", saved, "--tolerance", "1", "--json", report]
    subprocess.run([sys.executable, "-m", "bas", *map(str, arguments)], check=True, capture_output=True)
    document: dict[str, Any] = json.loads(report.read_text())
    return document


def _score(found: Documents) -> Evaluation:
    return score_documents(found.labels, found.predictions, classes=found.classes)


def _bootstrap(found: Documents) -> Float[np.ndarray, "systems resamples"]:
    return resampled_mean_ap(found.labels, [found.predictions], classes=found.classes, resamples=_RESAMPLES)


def _write_match(labels: Path, saved: Path, game: str, *, seed: int) -> None:
    """Labels, and the files that a model of middling skill leaves."""
    random = np.random.default_rng(seed)
    columns = tuple(f"{label}-{team}" for label in BALL_CLASSES for team in _TEAMS)
    values = random.random((_FRAMES, len(columns)), dtype=np.float32) * 0.01
    annotations = []
    for column, count in enumerate(np.repeat([-(-count // 2) for count in _COUNTS], len(_TEAMS))):
        label, team = columns[column].split("-")
        frames = random.choice(_FRAMES, count, replace=False)
        annotations += [_annotation(int(frame), label, team) for frame in np.sort(frames)]
        near = np.rint(frames + random.normal(0, 6, count))[random.random(count) < 0.8].astype(np.int64)
        _raise(values, column, near, random.beta(4, 2, len(near)))
        clutter = random.choice(_FRAMES, _CLUTTER * count, replace=False)
        _raise(values, column, clutter, random.beta(1.5, 5, len(clutter)))
    write_json(labels / "Labels-ball.json", {"UrlLocal": game, "annotations": annotations})
    scores = Scores(values, columns, Fraction(25))
    events = {1: detections(scores, PeaksSettings())}
    write_scores(saved / SCORES_FILE, {1: scores})
    write_results(saved / RESULTS_FILE, results_document(game, events, classes=BALL_CLASSES, fps=scores.fps))


def _annotation(frame: int, label: str, team: str) -> dict[str, str]:
    return {
        "gameTime": game_time(1, 40 * frame),
        "label": label,
        "position": str(40 * frame),
        "team": team,
        "visibility": "visible",
    }


def _raise(
    values: Float[np.ndarray, "frames classes"],
    column: int,
    centers: Int64[np.ndarray, "n"],
    heights: Sequence[float] | Float[np.ndarray, "n"],
) -> None:
    """Lay a bump around each center."""
    for center, height in zip(centers.tolist(), heights, strict=True):
        start, stop = max(0, center - 3 * _SPREAD_FRAMES), min(_FRAMES, center + 3 * _SPREAD_FRAMES)
        away = (np.arange(start, stop) - center) / _SPREAD_FRAMES
        values[start:stop, column] = np.maximum(values[start:stop, column], height * np.exp(-(away**2) / 2))


def _timed(work: Callable[[], Any]) -> tuple[Seconds, Any]:
    """Of this process and of those that it starts."""
    wall, cpu = time.perf_counter(), _cpu()
    result = work()
    return Seconds(time.perf_counter() - wall, _cpu() - cpu), result


def _cpu() -> float:
    return sum(os.times()[:4])


if __name__ == "__main__":
    main()
