"""`bas compare`: mAP of several runs on one split, with bootstrap confidence intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from bas import console
from bas.errors import SettingsError
from bas.evaluate.analysis.bootstrap import (
    BLOCK_SECONDS,
    MIN_BLOCKS,
    Interval,
    percentile_interval,
    resampled_mean_ap,
)
from bas.evaluate.formats.soccernet import parse_predictions, results_document
from bas.evaluate.metric.tolerance import parse_tolerance, tolerance_name, window_text
from bas.evaluate.postprocess.detections import detect
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scoring.score import score_documents
from bas.files import atomic_write, write_json
from bas.heads.inference.guards import require_same
from bas.heads.inference.predictor import Predictor, load_predictor
from bas.messages import counted
from bas.runs import history_of
from bas.types import Game, Prediction
from bas.workspace import Workspace

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """Results of one run on the split."""

    run: Path
    head: str
    mean_ap: float
    interval: Interval
    parameters: int
    """Number of parameters of the head, or of all heads of an ensemble."""
    training_seconds: float | None
    """Wall-clock time of all epochs, validation included; None for a model that was not trained here."""
    frames_per_second: float
    """Model-clock frames processed per second, from cached features to detections."""
    difference: Interval | None
    """Interval of its mAP minus that of the first run, on the same resamples; None for the first."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results of all runs on one split."""

    split: str
    games: tuple[str, ...]
    tolerances: tuple[float, ...]
    device: str
    results: tuple[ComparedRun, ...]


@dataclass(frozen=True, slots=True)
class _RunPredictions:
    """Detections of one run in every game."""

    predictions: Mapping[str, tuple[Prediction, ...]]
    """Detections by game id, rounded as a results file would store them."""
    num_frames: Mapping[str, int]
    frames_per_second: float


def compare(
    runs: Sequence[Path],
    workspace: Workspace,
    *,
    split: str,
    tolerance: str = "1",
    json: Path | None = None,
    markdown: Path | None = None,
) -> Comparison:
    """Score runs on one split, bootstrap the differences, and print a table.

    Args:
        runs: folders of finished runs or models; differences are relative to the first.
        workspace: the matches, their feature caches, device and decoder.
        split: name of the split to score.
        tolerance: as `bas.evaluate.metric.parse_tolerance` accepts it.
        json: file to write all numbers to.
        markdown: file to write the table to.

    Raises:
        SettingsError: the runs predict different classes or read different videos, or one is named twice.
        MissingError, DataError: a model, a match, its labels or a video is missing or invalid.
    """
    if len(set(runs)) < len(runs):
        raise SettingsError(f"Duplicate run in {', '.join(map(str, runs))}. Name each run once.")
    parse_tolerance(tolerance)  # an invalid one is refused before hours of extraction
    predictors = _load_comparable(runs, workspace)
    games, features = _common_features(predictors, split)
    found = [_predict(predictor, games, rows) for predictor, rows in zip(predictors, features, strict=True)]
    labels, predictions = labels_of_games(games), [one.predictions for one in found]
    actions = predictors[0].actions
    scored = [score_documents(labels, one, classes=actions, tolerance=tolerance) for one in predictions]
    resampled = resampled_mean_ap(
        labels,
        predictions,
        classes=actions,
        tolerance=tolerance,
        framerate=scored[0].framerate,
        resamples=_RESAMPLES,
    )
    results = tuple(
        _compared(predictor, found[i], scored[i].mean_ap, resampled[i], first=resampled[0] if i else None)
        for i, predictor in enumerate(predictors)
    )
    comparison = Comparison(split, tuple(labels), scored[0].tolerances, workspace.device, results)
    _warn_of_short_matches(found[0].num_frames, rate=predictors[0].model.settings.extract.clock_rate)
    _print_table(comparison, framerate=scored[0].framerate)
    if json is not None:
        write_json(json, _document(comparison))
        console.info(f"report: {json}")
    if markdown is not None:
        atomic_write(markdown, _markdown(comparison).encode())
        console.info(f"table: {markdown}")
    return comparison


def _load_comparable(runs: Sequence[Path], workspace: Workspace) -> list[Predictor]:
    """Load the models of the runs. Raises SettingsError if their scores cannot be compared."""
    predictors = [load_predictor(run, workspace) for run in runs]
    require_same(
        runs,
        [", ".join(predictor.actions) for predictor in predictors],
        problem="The runs predict different classes",
        remedy="Compare runs with the same class list.",
    )
    require_same(
        runs,
        [predictor.model.settings.extract.video for predictor in predictors],
        problem="The runs read different videos",
        remedy="Compare runs that read the same videos.",
    )
    return predictors


def _common_features(
    predictors: Sequence[Predictor], split: str
) -> tuple[tuple[Game, ...], list[Mapping[Path, Any]]]:
    """The matches that all runs can read, and the feature rows of each run."""
    for predictor in predictors:
        games = predictor.games(split)  # the same for all; each names its own training matches
    labels_of_games(games)  # a split without labels is refused before hours of extraction
    features = []
    for predictor in predictors:
        games, rows = predictor.features(games)  # narrows from run to run
        features.append(rows)
    return games, features


def _predict(predictor: Predictor, games: Sequence[Game], features: Mapping[Path, Any]) -> _RunPredictions:
    seconds, num_frames, predictions = 0.0, {}, {}
    postprocess, rate = predictor.postprocess, predictor.model.settings.extract.clock_rate
    warm_up = predictor.model.scores(features[games[0].videos[0].path])
    detect(warm_up, postprocess)  # outside the timing: first calls set things up
    for game in games:
        started = time.perf_counter()
        scores = predictor.scores(game, features)
        detections = {half: detect(of_half, postprocess) for half, of_half in scores.items()}
        seconds += time.perf_counter() - started
        num_frames[game.id] = sum(len(of_half.values) for of_half in scores.values())
        document = results_document(game.id, detections, classes=predictor.actions, fps=rate)
        predictions[game.id] = parse_predictions(document, source=game.id)
    return _RunPredictions(predictions, num_frames, sum(num_frames.values()) / seconds)


def _compared(
    predictor: Predictor,
    found: _RunPredictions,
    mean_ap: float,
    resampled: Float64[np.ndarray, "resamples"],
    *,
    first: Float64[np.ndarray, "resamples"] | None,
) -> ComparedRun:
    """Results of one run; `resampled` and `first` are its mAP and that of the first run on the same resamples."""
    stackers = predictor.model.stackers
    return ComparedRun(
        run=predictor.folder,
        head="+".join(stacker.settings.head.kind for stacker in stackers),
        mean_ap=mean_ap,
        interval=percentile_interval(resampled),
        parameters=sum(weights.numel() for stacker in stackers for weights in stacker.head.parameters()),
        training_seconds=float(sum(record["seconds"] for record in history_of(predictor.folder))) or None,
        frames_per_second=found.frames_per_second,
        difference=None if first is None else percentile_interval(resampled - first),
    )


def _warn_of_short_matches(num_frames: Mapping[str, int], *, rate: Fraction) -> None:
    """Warn of matches of one or two blocks: resampling hardly changes them, so their intervals mean nothing."""
    short = [game for game, frames in num_frames.items() if frames < MIN_BLOCKS * BLOCK_SECONDS * rate]
    if short:
        console.warn(
            f"Shorter than {MIN_BLOCKS} minutes: {len(short)} of {counted(len(num_frames), 'match')}, "
            f"e.g. {short[0]}. That is too "
            f"few {BLOCK_SECONDS} s blocks to resample, so the intervals are too narrow."
        )


def _print_table(comparison: Comparison, *, framerate: int) -> None:
    name = f"mAP@{tolerance_name(comparison.tolerances)}"
    console.show(
        f"{counted(len(comparison.games), 'match')} of {comparison.split}, tolerance "
        f"{window_text(comparison.tolerances, framerate=framerate)}; 95 % intervals from {_RESAMPLES:,} resamples of "
        f"{BLOCK_SECONDS} s blocks; heads on {comparison.device}"
    )
    rows = console.table(
        name,
        "run",
        "head",
        name,
        "95 % interval",
        "difference",
        "parameters",
        "training time",
        "frames/s",
        left=2,
    )
    for result in comparison.results:
        rows.add_row(result.run.name, result.head, *_cells(result))
    console.show(rows)


def _cells(result: ComparedRun) -> list[str]:
    """Formatted numbers, in the order of the table's columns."""
    trained = result.training_seconds
    return [
        f"{100 * result.mean_ap:.2f}",
        _percent(result.interval),
        "" if result.difference is None else _percent(result.difference, signed=True),
        f"{result.parameters:,}",
        "" if trained is None else f"{trained:,.0f} s",
        f"{result.frames_per_second:,.0f}",
    ]


def _percent(of: Interval, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{100 * of.low:{sign}.1f} to {100 * of.high:{sign}.1f}"


def _markdown(comparison: Comparison) -> str:
    name = f"mAP@{tolerance_name(comparison.tolerances)}"
    first = comparison.results[0].run.name
    lines = [
        f"| run | head | {name} | 95 % interval | difference to {first} | parameters | training time | frames/s |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| `{c.run.name}` | `{c.head}` | {' | '.join(_cells(c))} |" for c in comparison.results),
    ]
    return "\n".join(lines) + "\n"


def _document(comparison: Comparison) -> dict[str, object]:
    """All numbers as a JSON document, with scores in [0, 1]."""
    return {
        "split": comparison.split,
        "games": list(comparison.games),
        "tolerances_s": list(comparison.tolerances),
        "device": comparison.device,
        "resamples": _RESAMPLES,
        "block_seconds": BLOCK_SECONDS,
        "runs": [
            {
                "run": str(c.run),
                "head": c.head,
                "mAP": c.mean_ap,
                "interval": [c.interval.low, c.interval.high],
                "difference_to_first": None
                if c.difference is None
                else [c.difference.low, c.difference.high],
                "parameters": c.parameters,
                "training_seconds": c.training_seconds,
                "frames_per_second": c.frames_per_second,
            }
            for c in comparison.results
        ],
    }
