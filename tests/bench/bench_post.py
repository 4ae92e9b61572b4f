"""Post-processing of one 95-minute match of 12 classes: each method, and the joint search."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, Literal

import numpy as np

from bas.clock import position_of
from bas.config import PostprocessSettings
from bas.console import show, table
from bas.dataset.classes import BALL_CLASSES
from bas.evaluate.postprocess.detections import detect
from bas.evaluate.postprocess.search import tune
from bas.evaluate.scoring.score import score_detections
from bas.types import Scores, Spot

_COUNTS = (712, 614, 102, 109, 79, 37, 52, 24, 32, 11, 3, 2)
"""Spots per class in one match: the mean of seven real matches."""
_FRAMES = 95 * 60 * 25
_FPS = Fraction(25)
_GAME = "one match"


def main() -> None:
    """Assert that the search reports the score of its settings, then print times."""
    rows = table(
        "Post-processing, one 95-minute match, 12 classes", "scores", "method", "seconds", "mAP@1", left=2
    )
    for name, noise in (("noise everywhere", 0.1), ("zero between events", 0.0)):
        labels, scores = _match(noise)
        methods: tuple[Literal["peaks", "hard", "linear", "quadratic"], ...]
        methods = ("peaks", "hard", "linear", "quadratic")
        for method in methods:
            settings = PostprocessSettings(method=method, min_distance=8 if method == "peaks" else 24)
            seconds, _ = _timed(partial(detect, scores, settings))
            rows.add_row(name, method, f"{seconds:.2f}", f"{100 * _mean_ap(labels, scores, settings):.2f}")
        search = partial(tune, {_GAME: labels}, {_GAME: {1: scores}}, classes=BALL_CLASSES)
        seconds, found = _timed(partial(search, postprocess=PostprocessSettings()))
        assert _mean_ap(labels, scores, found.after) == found.mean_after
        rows.add_row(name, "joint search", f"{seconds:.1f}", f"{100 * found.mean_after:.2f}")
    show(rows)


def _mean_ap(labels: tuple[Spot, ...], scores: Scores, settings: PostprocessSettings) -> float:
    found = {_GAME: {1: detect(scores, settings)}}
    return score_detections({_GAME: labels}, found, classes=BALL_CLASSES, fps=_FPS).mean_ap


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _match(noise: float) -> tuple[tuple[Spot, ...], Scores]:
    """Return spots, and scores with peaks near four of five spots and as many elsewhere, plus slow noise."""
    random = np.random.default_rng(1)
    spots, columns = [], []
    for label, count in zip(BALL_CLASSES, _COUNTS, strict=True):
        frames = random.choice(_FRAMES, count, replace=False)
        spots += [Spot(position_of(int(frame), _FPS), label) for frame in frames]
        column = np.repeat(random.random(_FRAMES // 5), 5) * noise
        near = np.rint(frames + random.normal(0, 5, count))[random.random(count) < 0.8]
        for frame in np.concatenate([near, random.integers(0, _FRAMES, count)]).astype(int):
            around = np.arange(max(0, frame - 24), min(_FRAMES, frame + 25))
            column[around] += random.random() * np.exp(-0.5 * ((around - frame) / 6) ** 2)
        columns.append(column.clip(0, 1))
    return tuple(spots), Scores(np.stack(columns, axis=1).astype(np.float32), BALL_CLASSES, _FPS)


if __name__ == "__main__":
    main()
