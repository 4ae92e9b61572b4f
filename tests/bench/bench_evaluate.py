"""Evaluation of 95-minute matches: scoring, analysis, bootstrap alone, and report page."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from bas.config import PostprocessSettings
from bas.console import show, table
from bas.dataset.classes import BALL_CLASSES
from bas.evaluate.analysis.analysis import analyze
from bas.evaluate.analysis.bootstrap import resampled_mean_ap
from bas.evaluate.formats.soccernet import parse_predictions, results_document
from bas.evaluate.postprocess.detections import detect
from bas.evaluate.report.page import Page, write_page
from bas.evaluate.scoring.score import score_documents
from bas.types import Game, Scores, Spot

_FRAMES = 95 * 60 * 25
_FPS = Fraction(25)


def main() -> None:
    """Print the time of each part."""
    labels, scores = _matches(2)
    predictions = {
        game: parse_predictions(
            results_document(
                game, {1: detect(halves[1], PostprocessSettings())}, classes=BALL_CLASSES, fps=_FPS
            ),
            source=game,
        )
        for game, halves in scores.items()
    }
    rows = table("Evaluation, two 95-minute matches, 12 classes", "step", "seconds")
    seconds, evaluation = _timed(lambda: score_documents(labels, predictions, classes=BALL_CLASSES))
    rows.add_row("official score", f"{seconds:.2f}")
    seconds, analysis = _timed(lambda: analyze(evaluation, labels, predictions, scores=scores))
    rows.add_row("analysis, including chance baseline and bootstrap", f"{seconds:.1f}")
    seconds, _ = _timed(lambda: resampled_mean_ap(labels, [predictions], classes=BALL_CLASSES))
    rows.add_row("bootstrap alone, 1,000 resamples", f"{seconds:.1f}")
    games = [Game(game, (), None) for game in labels]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        seconds, _ = _timed(
            lambda: write_page(page, Page("two matches", evaluation, analysis, games, scores))
        )
        size = page.stat().st_size
    rows.add_row(f"report page without pictures ({size / 2**20:.1f} MiB)", f"{seconds:.1f}")
    show(rows)


def _matches(count: int) -> tuple[dict[str, tuple[Spot, ...]], dict[str, dict[int, Scores]]]:
    """Return spots and scores of synthetic matches.

    Counts are like those of real matches: about 1,800 spots and 1,500 false peaks per match, a few of the rarest classes.
    """
    generator = np.random.default_rng(0)
    shares = np.array([0.4, 0.37, 0.07, 0.06, 0.04, 0.02, 0.02, 0.01, 0.01, 0.005, 0.003, 0.002])
    labels, scores = {}, {}
    for number in range(count):
        noise = gaussian_filter1d(generator.standard_normal((_FRAMES, len(BALL_CLASSES))), 5, axis=0)
        values = 0.1 * noise.clip(min=0)
        spots = []
        for k, label in enumerate(BALL_CLASSES):
            for position in generator.integers(100, _FRAMES - 100, max(2, int(1800 * shares[k]))):
                spots.append(Spot(int(position) * 40, label))
                _add_peak(
                    values[:, k], int(position + generator.integers(-8, 9)), generator.uniform(0.1, 1.0)
                )
            for position in generator.integers(100, _FRAMES - 100, max(20, int(1500 * shares[k]))):
                _add_peak(values[:, k], int(position), generator.uniform(0.05, 0.7))
        labels[f"match {number}"] = tuple(spots)
        scores[f"match {number}"] = {1: Scores(values.clip(0, 1).astype(np.float32), BALL_CLASSES, _FPS)}
    return labels, scores


def _add_peak(column: np.ndarray, center: int, height: float) -> None:
    around = np.arange(center - 20, center + 21)
    near = column[around[0] : around[-1] + 1]
    np.maximum(near, height * np.exp(-(((around - center) / 4) ** 2)), out=near)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
