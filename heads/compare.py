"""`bas compare`: runs side by side on one split, with what chance allows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from bas import console
from bas.dataset import open_dataset
from bas.errors import SettingsError
from bas.evaluate.bootstrap import BLOCK_SECONDS, FEWEST_BLOCKS, Interval, interval, resampled_mean_ap
from bas.evaluate.peaks import actions_of, detections
from bas.evaluate.predict import Rows, slide
from bas.evaluate.run import labels_of_games
from bas.evaluate.score import score_documents
from bas.evaluate.soccernet import Prediction, predictions_of, results_document
from bas.evaluate.tolerance import tolerance_name, window_text
from bas.extract.decode import Decoder
from bas.files import atomic_write, write_json
from bas.heads.material import with_rows
from bas.heads.merged import MergedModel, Spotter, load_spotter
from bas.heads.spot import model_rows, require_classes, warn_of_learned
from bas.heads.stacker import Stacker
from bas.runs import history_of
from bas.types import Game

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Contestant:
    """One run on the split."""

    run: Path
    head: str
    mean_ap: float
    interval: Interval
    parameters: int
    """Of the head."""
    training_seconds: float | None
    """Of all its epochs, validation included; None for a model that was not fitted here."""
    frames_per_second: float
    """Frames of the clock scored a second, from cached rows to events."""
    difference: Interval | None
    """Of its mAP less that of the first run, on the same resamples; None for the first."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All runs on one split."""

    split: str
    games: tuple[str, ...]
    tolerances: tuple[float, ...]
    device: str
    contestants: tuple[Contestant, ...]


@dataclass(frozen=True, slots=True)
class _Predicted:
    """What one run says of the games."""

    predictions: Mapping[str, tuple[Prediction, ...]]
    """As their files would hold them."""
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
    """Score runs on one split, resample its minutes, and print the table.

    Args:
        runs: folders of finished runs or models; differences are to the first.
        data: the matches.
        features: folder of all caches; rows that are missing are extracted first.
        split: of the matches.
        device: that the heads compute on.
        tolerance: as `bas.evaluate.tolerance.parse_tolerance` takes it.
        decoder: of rows that are missing.
        json: takes all numbers.
        markdown: takes the table, to be pasted.

    Raises:
        SettingsError: the runs tell different classes, or one is named twice.
        MissingError, DataError: a model, a match, its labels or a video is not there, or wrong.
    """
    if len(set(runs)) < len(runs):
        raise SettingsError(f"A run is named twice: {', '.join(map(str, runs))}. Name each once.")
    models = [load_spotter(run, device=device) for run in runs]
    actions = _common_actions(runs, models)
    dataset = open_dataset(data, video=_common_video(runs, models))
    require_classes(models[0], dataset, run=runs[0])
    games = dataset.split(split)
    for run in runs:
        warn_of_learned(run, games)
    labels = labels_of_games(games)
    found = []
    for model in models:
        caches = model_rows(model, games, features=features, decoder=decoder)
        games = with_rows(games, caches)
        found.append(_predict(model, games, caches, actions))
    labels = {game.id: labels[game.id] for game in games}
    predictions = [one.predictions for one in found]
    scored = [score_documents(labels, one, classes=actions, tolerance=tolerance) for one in predictions]
    resampled = resampled_mean_ap(
        labels, predictions, classes=actions, tolerance=tolerance, resamples=_RESAMPLES
    )
    contestants = tuple(
        Contestant(
            run=run,
            head="+".join(member.settings.head.kind for member in _members(model)),
            mean_ap=scored[i].mean_ap,
            interval=interval(resampled[i]),
            parameters=sum(p.numel() for member in _members(model) for p in member.head.parameters()),
            training_seconds=_training_seconds(run),
            frames_per_second=found[i].frames_per_second,
            difference=interval(resampled[i] - resampled[0]) if i else None,
        )
        for i, (run, model) in enumerate(zip(runs, models, strict=True))
    )
    _warn_of_short_matches(found[0].num_frames, rate=models[0].settings.extract.clock_rate)
    comparison = Comparison(split, tuple(labels), scored[0].tolerances, device, contestants)
    _tell(comparison, framerate=scored[0].framerate)
    if json is not None:
        write_json(json, _document(comparison))
        console.say(f"report: {json}")
    if markdown is not None:
        atomic_write(markdown, _markdown(comparison).encode())
        console.say(f"table: {markdown}")
    return comparison


def _common_actions(runs: Sequence[Path], models: Sequence[Spotter]) -> tuple[str, ...]:
    first, *others = (actions_of(model.classes) for model in models)
    for run, actions in zip(runs[1:], others, strict=True):
        if actions != first:
            raise SettingsError(
                f"{runs[0]} tells {', '.join(first)}, and {run} tells {', '.join(actions)}: their scores cannot be "
                "compared. Compare runs of one vocabulary."
            )
    return first


def _common_video(runs: Sequence[Path], models: Sequence[Spotter]) -> Literal["720p", "224p"]:
    first, *others = (model.settings.extract.video for model in models)
    for run, video in zip(runs[1:], others, strict=True):
        if video != first:
            raise SettingsError(
                f"{runs[0]} reads {first} videos and {run} {video} ones. Compare runs on the same videos."
            )
    return first


def _predict(
    model: Spotter, games: Sequence[Game], caches: Mapping[Path, Rows], actions: Sequence[str]
) -> _Predicted:
    seconds, num_frames, predictions = 0.0, {}, {}
    detections(slide(model, caches[games[0].videos[0].path]), model.settings.peaks)  # what is set up once
    for game in games:
        started = time.perf_counter()
        scores = {video.half: slide(model, caches[video.path]) for video in game.videos}
        events = {half: detections(of_half, model.settings.peaks) for half, of_half in scores.items()}
        seconds += time.perf_counter() - started
        num_frames[game.id] = sum(len(of_half.values) for of_half in scores.values())
        document = results_document(game.id, events, classes=actions, fps=model.settings.extract.clock_rate)
        predictions[game.id] = predictions_of(document, source=game.id)
    return _Predicted(predictions, num_frames, sum(num_frames.values()) / seconds)


def _members(model: Spotter) -> tuple[Stacker, ...]:
    return model.members if isinstance(model, MergedModel) else (model,)


def _warn_of_short_matches(num_frames: Mapping[str, int], *, rate: Fraction) -> None:
    """Intervals of a match of one or two blocks hardly move, and say nothing."""
    short = [game for game, frames in num_frames.items() if frames < FEWEST_BLOCKS * BLOCK_SECONDS * rate]
    if short:
        console.warn(
            f"{len(short)} of {len(num_frames)} matches are shorter than {FEWEST_BLOCKS} minutes: blocks of "
            f"{BLOCK_SECONDS} s are too few to resample, and the intervals too narrow. {short[0]} is one."
        )


def _training_seconds(run: Path) -> float | None:
    history = history_of(run)
    return float(sum(record["seconds"] for record in history)) if history else None


def _tell(comparison: Comparison, *, framerate: int) -> None:
    name = f"mAP@{tolerance_name(comparison.tolerances)}"
    console.show(
        f"{len(comparison.games)} games of {comparison.split}, window "
        f"{window_text(comparison.tolerances, framerate=framerate)}; intervals hold 95 % of {_RESAMPLES:,} resamples of "
        f"blocks of {BLOCK_SECONDS} s, scored on {comparison.device}"
    )
    rows = console.table(
        name,
        "run",
        "head",
        name,
        "interval",
        "less the first",
        "head's weights",
        "trained",
        "frames/s",
        left=2,
    )
    for contestant in comparison.contestants:
        rows.add_row(contestant.run.name, contestant.head, *_cells(contestant))
    console.show(rows)


def _cells(contestant: Contestant) -> list[str]:
    """Numbers in words, in the order of the table's columns."""
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
    first = comparison.contestants[0].run.name
    lines = [
        f"| run | head | {name} | 95 % interval | less {first}, paired | head's weights | training | frames scored a second |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| `{c.run.name}` | `{c.head}` | {' | '.join(_cells(c))} |" for c in comparison.contestants),
    ]
    return "\n".join(lines) + "\n"


def _document(comparison: Comparison) -> dict[str, object]:
    """All numbers as JSON; scores are in [0, 1]."""
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
            for c in comparison.contestants
        ],
    }
