"""Official metric compared with SoccerNet's implementation, and peak picking, on one match of 12 classes."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from SoccerNet.Evaluation.ActionSpotting import average_mAP

from bas.config import PostprocessSettings
from bas.console import show, table
from bas.dataset.classes import BALL_CLASSES
from bas.evaluate.metric.average_precision import MarkArrays, average_precision, build_timeline
from bas.evaluate.metric.tolerance import TOLERANCES
from bas.evaluate.postprocess.detections import detect
from bas.types import Scores

_COUNTS = (712, 614, 102, 109, 79, 37, 52, 24, 32, 11, 3, 2)
"""Spots per class in one match: the mean of seven real matches."""
_FRAMES = 90 * 60 * 25
_ROWS = 120 * 60 * 25
_NAMES = ("at1", "tight")


def main() -> None:
    """Assert that both implementations agree exactly, then print times."""
    rows = table(
        "Official metric, one 90-minute match, 12 classes, 25 fps",
        "detections",
        "tolerance",
        "SoccerNet (s)",
        "bas (s)",
        "speed-up",
        left=2,
    )
    for detections_per_spot in (1.3, 10):
        spots, detected = _match(detections_per_spot)
        dense = _dense(spots, detected)
        for name in _NAMES:
            theirs_s, theirs = _timed(partial(_theirs, *dense, name), repeats=1)
            ours_s, ours = _timed(partial(_ours, spots, detected, name), repeats=5)
            assert ours == theirs, (name, ours, theirs)
            rows.add_row(
                f"{len(detected.frames):,}",
                name,
                f"{theirs_s:.2f}",
                f"{ours_s:.4f}",
                f"{theirs_s / ours_s:,.0f}",
            )
    show(rows)
    show(_peaks_table())


def _ours(spots: MarkArrays, detected: MarkArrays, name: str) -> list[float]:
    laid = [build_timeline(spots, detected, num_classes=len(_COUNTS))]
    result = average_precision(laid, num_classes=len(_COUNTS), framerate=25, tolerances=TOLERANCES[name])
    return [result.overall.mean, result.visible.mean, result.unshown.mean, *result.overall.per_class.tolist()]


def _theirs(targets: Any, detected_scores: Any, nearest: Any, name: str) -> list[float]:
    deltas = np.array([int(seconds) for seconds in TOLERANCES[name]])
    with contextlib.redirect_stderr(io.StringIO()):
        result = average_mAP([targets], [detected_scores], [nearest], 25, deltas=deltas)
    return [float(value) for value in (result[0], result[2], result[4], *result[1])]


def _match(detections_per_spot: float) -> tuple[MarkArrays, MarkArrays]:
    """Return spots at random frames, and detections near four of five of them and elsewhere."""
    random = np.random.default_rng(1)
    spots, detected = [], []
    for column, count in enumerate(_COUNTS):
        frames = random.choice(_FRAMES, count, replace=False)
        near = np.rint(frames + random.normal(0, 6, count))[random.random(count) < 0.8]
        clutter = random.choice(_FRAMES, int(detections_per_spot * count) - len(near), replace=False)
        detected_scores = np.unique(np.clip(np.concatenate([near, clutter]), 0, _FRAMES - 1).astype(np.int64))
        spots.append(np.column_stack([frames, np.full(count, column), np.ones(count)]))
        detected.append(
            np.column_stack(
                [detected_scores, np.full(len(detected_scores), column), random.random(len(detected_scores))]
            )
        )
    return _entries(np.concatenate(spots)), _entries(np.concatenate(detected))


def _entries(rows: Any) -> MarkArrays:
    return MarkArrays(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2].copy())


def _dense(spots: MarkArrays, detected: MarkArrays) -> tuple[Any, Any, Any]:
    """Build the dense vectors of SoccerNet's own `evaluate`, outside the timed part."""
    targets, detected_scores = np.zeros((_ROWS, len(_COUNTS))), np.full((_ROWS, len(_COUNTS)), -1.0)
    targets[spots.frames, spots.columns] = spots.values
    detected_scores[detected.frames, detected.columns] = detected.values
    nearest = np.where(targets.any(axis=0), 1.0, -1.0) * np.ones((_ROWS, 1))  # every spot is visible
    return targets, detected_scores, nearest


def _peaks_table() -> Any:
    random = np.random.default_rng(0)
    scores = Scores(random.random((142_500, 12), dtype=np.float32) ** 4, BALL_CLASSES, Fraction(25))
    seconds, found = _timed(lambda: detect(scores, PostprocessSettings()), repeats=3)
    rows = table("Peak picking, 142,500 frames x 12 classes", "detections", "seconds", left=0)
    rows.add_row(f"{len(found):,}", f"{seconds:.2f}")
    return rows


def _timed(work: Callable[[], Any], *, repeats: int) -> tuple[float, Any]:
    """Return the shortest time of several runs, and the result."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return best, result


if __name__ == "__main__":
    main()
