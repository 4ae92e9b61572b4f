"""`bas compare`: mAP of several runs on one split, with bootstrap confidence intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from bas import console
from bas.config.base import Decoder
from bas.dataset import open_dataset
from bas.errors import SettingsError
from bas.evaluate.analysis.bootstrap import (
    BLOCK_SECONDS,
    MIN_BLOCKS,
    Interval,
    percentile_interval,
    resampled_mean_ap,
)
from bas.evaluate.formats.soccernet import parse_predictions, results_document
from bas.evaluate.metric.tolerance import tolerance_name, window_text
from bas.evaluate.postprocess.events import detect
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scores import Rows, score_video
from bas.evaluate.scoring.score import score_documents
from bas.extract.extract import games_with_features
from bas.files import atomic_write, write_json
from bas.heads.inference.ensemble import MergedModel, VideoModel, load_video_model
from bas.heads.inference.leakage import require_classes, warn_of_leakage
from bas.heads.inference.predictor import features_for
from bas.heads.models.stacker import Stacker
from bas.runs import history_of
from bas.types import Game, Prediction
from bas.vocabulary import actions_of

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
    *,
    data: Path,
    features: Path,
    split: str,
    device: str,
    tolerance: str = "1",
    decoder: Decoder = "auto",
    json: Path | None = None,
    markdown: Path | None = None,
) -> Comparison:
    """Score runs on one split, bootstrap the differences, and print a table.

    Args:
        runs: folders of finished runs or models; differences are relative to the first.
        data: folder of matches.
        features: folder of feature caches; missing ones are extracted first.
        split: name of the split to score.
        device: torch device of the heads.
        tolerance: as `bas.evaluate.metric.tolerance.parse_tolerance` accepts it.
        decoder: video decoder for missing features.
        json: file to write all numbers to.
        markdown: file to write the table to.

    Raises:
        SettingsError: the runs predict different classes or read different videos, or one is named twice.
        MissingError, DataError: a model, a match, its labels or a video is missing or invalid.
    """
    if len(set(runs)) < len(runs):
        raise SettingsError(f"Duplicate run in {', '.join(map(str, runs))}. Name each run once.")
    models = [load_video_model(run, device=device) for run in runs]
    actions = _common_actions(runs, models)
    dataset = open_dataset(data, video=_common_video(runs, models))
    require_classes(models[0], dataset, run=runs[0])
    games = dataset.split(split)
    for run in runs:
        warn_of_leakage(run, games)
    labels = labels_of_games(games)
    found = []
    for model in models:
        caches = features_for(model, games, features=features, decoder=decoder)
        games = games_with_features(games, caches)  # narrows from run to run: only matches that all can read
        found.append(_predict(model, games, caches, actions))
    labels = {game.id: labels[game.id] for game in games}
    predictions = [one.predictions for one in found]
    scored = [score_documents(labels, one, classes=actions, tolerance=tolerance) for one in predictions]
    resampled = resampled_mean_ap(
        labels, predictions, classes=actions, tolerance=tolerance, resamples=_RESAMPLES
    )
    results = tuple(
        ComparedRun(
            run=run,
            head="+".join(member.settings.head.kind for member in _members(model)),
            mean_ap=scored[i].mean_ap,
            interval=percentile_interval(resampled[i]),
            parameters=sum(p.numel() for member in _members(model) for p in member.head.parameters()),
            training_seconds=_training_seconds(run),
            frames_per_second=found[i].frames_per_second,
            difference=percentile_interval(resampled[i] - resampled[0]) if i else None,
        )
        for i, (run, model) in enumerate(zip(runs, models, strict=True))
    )
    _warn_of_short_matches(found[0].num_frames, rate=models[0].settings.extract.clock_rate)
    comparison = Comparison(split, tuple(labels), scored[0].tolerances, device, results)
    _print_table(comparison, framerate=scored[0].framerate)
    if json is not None:
        write_json(json, _document(comparison))
        console.info(f"report: {json}")
    if markdown is not None:
        atomic_write(markdown, _markdown(comparison).encode())
        console.info(f"table: {markdown}")
    return comparison


def _common_actions(runs: Sequence[Path], models: Sequence[VideoModel]) -> tuple[str, ...]:
    first, *others = (actions_of(model.classes) for model in models)
    for run, actions in zip(runs[1:], others, strict=True):
        if actions != first:
            raise SettingsError(
                f"The runs predict different classes ({runs[0]}: {', '.join(first)}; {run}: {', '.join(actions)}). "
                "Compare runs with the same class list."
            )
    return first


def _common_video(runs: Sequence[Path], models: Sequence[VideoModel]) -> Literal["720p", "224p"]:
    first, *others = (model.settings.extract.video for model in models)
    for run, video in zip(runs[1:], others, strict=True):
        if video != first:
            raise SettingsError(
                f"The runs read different videos ({runs[0]}: {first}; {run}: {video}). "
                "Compare runs that read the same videos."
            )
    return first


def _predict(
    model: VideoModel, games: Sequence[Game], caches: Mapping[Path, Rows], actions: Sequence[str]
) -> _RunPredictions:
    seconds, num_frames, predictions = 0.0, {}, {}
    warm_up = score_video(model, caches[games[0].videos[0].path])
    detect(warm_up, model.settings.peaks)  # outside the timing: first calls set things up
    for game in games:
        started = time.perf_counter()
        scores = {video.half: score_video(model, caches[video.path]) for video in game.videos}
        events = {half: detect(of_half, model.settings.peaks) for half, of_half in scores.items()}
        seconds += time.perf_counter() - started
        num_frames[game.id] = sum(len(of_half.values) for of_half in scores.values())
        document = results_document(game.id, events, classes=actions, fps=model.settings.extract.clock_rate)
        predictions[game.id] = parse_predictions(document, source=game.id)
    return _RunPredictions(predictions, num_frames, sum(num_frames.values()) / seconds)


def _members(model: VideoModel) -> tuple[Stacker, ...]:
    return model.members if isinstance(model, MergedModel) else (model,)


def _warn_of_short_matches(num_frames: Mapping[str, int], *, rate: Fraction) -> None:
    """Warn of matches of one or two blocks: resampling hardly changes them, so their intervals mean nothing."""
    short = [game for game, frames in num_frames.items() if frames < MIN_BLOCKS * BLOCK_SECONDS * rate]
    if short:
        console.warn(
            f"{len(short)} of {len(num_frames)} matches are shorter than {MIN_BLOCKS} minutes, e.g. {short[0]}. They have too "
            f"few {BLOCK_SECONDS} s blocks to resample, so the intervals are too narrow."
        )


def _training_seconds(run: Path) -> float | None:
    history = history_of(run)
    return float(sum(record["seconds"] for record in history)) if history else None


def _print_table(comparison: Comparison, *, framerate: int) -> None:
    name = f"mAP@{tolerance_name(comparison.tolerances)}"
    console.show(
        f"{len(comparison.games)} games of {comparison.split}, tolerance "
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
    for contestant in comparison.results:
        rows.add_row(contestant.run.name, contestant.head, *_cells(contestant))
    console.show(rows)


def _cells(contestant: ComparedRun) -> list[str]:
    """Formatted numbers, in the order of the table's columns."""
    trained = contestant.training_seconds
    return [
        f"{100 * contestant.mean_ap:.2f}",
        _percent(contestant.interval),
        "" if contestant.difference is None else _percent(contestant.difference, signed=True),
        f"{contestant.parameters:,}",
        "" if trained is None else f"{trained:,.0f} s",
        f"{contestant.frames_per_second:,.0f}",
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
