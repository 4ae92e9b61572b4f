"""The official metric against SoccerNet's own, and the peaks, on one 90-minute match of 12 classes."""

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

from bas.config import PeaksSettings
from bas.console import show, table
from bas.dataset.classes import BALL_CLASSES
from bas.evaluate.peaks import detections
from bas.evaluate.precision import Entries, average_precision, timeline
from bas.evaluate.tolerance import TOLERANCES
from bas.types import Scores

_COUNTS = (712, 614, 102, 109, 79, 37, 52, 24, 32, 11, 3, 2)  # of one match: a seventh of seven real ones
_FRAMES = 90 * 60 * 25
_ROWS = 120 * 60 * 25
_NAMES = ("at1", "tight")


def main() -> None:
    """Assert that both give the same numbers, then print seconds."""
    rows = table(
        "Official metric, one 90-minute match, 12 classes, 25 fps",
        "detections",
        "tolerance",
        "SoccerNet s",
        "bas s",
        "times faster",
        left=2,
    )
    for detections_per_spot in (1.3, 10):
        spots, claims = _match(detections_per_spot)
        dense = _dense(spots, claims)
        for name in _NAMES:
            theirs_s, theirs = _timed(partial(_theirs, *dense, name), repeats=1)
            ours_s, ours = _timed(partial(_ours, spots, claims, name), repeats=5)
            assert ours == theirs, (name, ours, theirs)
            rows.add_row(
                f"{len(claims.frames):,}",
                name,
                f"{theirs_s:.2f}",
                f"{ours_s:.4f}",
                f"{theirs_s / ours_s:,.0f}",
            )
    show(rows)
    show(_peaks_table())


def _ours(spots: Entries, claims: Entries, name: str) -> list[float]:
    laid = [timeline(spots, claims, num_classes=len(_COUNTS))]
    result = average_precision(laid, num_classes=len(_COUNTS), framerate=25, tolerances=TOLERANCES[name])
    return [result.every.mean, result.visible.mean, result.unshown.mean, *result.every.per_class.tolist()]


def _theirs(targets: Any, claimed: Any, nearest: Any, name: str) -> list[float]:
    deltas = np.array([int(seconds) for seconds in TOLERANCES[name]])
    with contextlib.redirect_stderr(io.StringIO()):
        result = average_mAP([targets], [claimed], [nearest], 25, deltas=deltas)
    return [float(value) for value in (result[0], result[2], result[4], *result[1])]


def _match(detections_per_spot: float) -> tuple[Entries, Entries]:
    """Spots at random frames; detections near four of five of them, and clutter."""
    random = np.random.default_rng(1)
    spots, claims = [], []
    for column, count in enumerate(_COUNTS):
        frames = random.choice(_FRAMES, count, replace=False)
        near = np.rint(frames + random.normal(0, 6, count))[random.random(count) < 0.8]
        clutter = random.choice(_FRAMES, int(detections_per_spot * count) - len(near), replace=False)
        claimed = np.unique(np.clip(np.concatenate([near, clutter]), 0, _FRAMES - 1).astype(np.int64))
        spots.append(np.column_stack([frames, np.full(count, column), np.ones(count)]))
        claims.append(np.column_stack([claimed, np.full(len(claimed), column), random.random(len(claimed))]))
    return _entries(np.concatenate(spots)), _entries(np.concatenate(claims))


def _entries(rows: Any) -> Entries:
    return Entries(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2].copy())


def _dense(spots: Entries, claims: Entries) -> tuple[Any, Any, Any]:
    """The vectors that SoccerNet's own `evaluate` builds; building them is not timed."""
    targets, claimed = np.zeros((_ROWS, len(_COUNTS))), np.full((_ROWS, len(_COUNTS)), -1.0)
    targets[spots.frames, spots.columns] = spots.values
    claimed[claims.frames, claims.columns] = claims.values
    nearest = np.where(targets.any(axis=0), 1.0, -1.0) * np.ones((_ROWS, 1))  # every spot is visible
    return targets, claimed, nearest


def _peaks_table() -> Any:
    random = np.random.default_rng(0)
    scores = Scores(random.random((142_500, 12), dtype=np.float32) ** 4, BALL_CLASSES, Fraction(25))
    seconds, found = _timed(lambda: detections(scores, PeaksSettings()), repeats=3)
    rows = table("Peaks of 142,500 frames x 12 classes", "detections", "s", left=0)
    rows.add_row(f"{len(found):,}", f"{seconds:.2f}")
    return rows


def _timed(work: Callable[[], Any], *, repeats: int) -> tuple[float, Any]:
    """The fastest of some runs, and the result."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return best, result


if __name__ == "__main__":
    main()
