"""Self-contained HTML report of a run: numbers, figures, match timelines and the worst mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bas import files
from bas.clock import time_text
from bas.config.extract import TimeOrigin
from bas.dataset import VideoTimes, probe
from bas.evaluate.analysis.analysis import BACKGROUND, MIN_SPOTS, Analysis
from bas.evaluate.analysis.outcomes import Outcome, worst_mistakes
from bas.evaluate.metric.tolerance import tolerance_name, window_text
from bas.evaluate.report import plots
from bas.evaluate.report.frame_strips import frame_strip
from bas.evaluate.scoring.score import Evaluation
from bas.extract.decode.timeline import position_origin
from bas.messages import counted, percent
from bas.types import Game, Scores

_NUM_MISTAKES = 20
_LINE_MS = 5 * 60_000
_LINE_WIDTH = 1000  # SVG units of one timeline line
_MARK_WIDTH = 2.5
_TEMPLATE = "page.html"
_CSS_CLASSES = {"hit": "hit", "confused": "confused", "miss": "miss", "false positive": "false-positive"}


@dataclass(frozen=True, slots=True)
class Page:
    """Contents of the report page."""

    title: str
    evaluation: Evaluation
    analysis: Analysis
    games: Sequence[Game]
    scores: Mapping[str, Mapping[int, Scores]] | None = None
    training: Sequence[Mapping[str, Any]] = ()
    """One record per epoch with the keys `epoch`, `loss` and `mAP@1`; empty hides the training section."""
    time_origin: TimeOrigin = "auto"
    """Time origin of the positions in the videos: `zero`, `start` or `auto`, as in the extraction settings."""


def write_page(path: Path, page: Page) -> None:
    """Render the page and write it atomically; the frame strips are decoded from the videos of the games.

    Raises:
        MissingError: a video does not exist.
        DataError: a video cannot be read.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bas.evaluate.report", ""), autoescape=True, undefined=StrictUndefined
    )
    text = environment.get_template(_TEMPLATE).render(_content(page))
    files.atomic_write(path, text.encode())


def _content(page: Page) -> dict[str, Any]:
    evaluation, analysis = page.evaluation, page.analysis
    name = f"mAP@{tolerance_name(evaluation.tolerances)}"
    offset = Counter(analysis.offset_frames)
    num_hits, num_early = sum(offset.values()), sum(count for frames, count in offset.items() if frames < 0)
    times_of = cache(probe)  # a match has many strips, and probing reads its whole file
    best = max((r["mAP@1"] or 0.0 for r in page.training), default=0.0)
    return {
        "title": page.title,
        "subtitle": (
            f"{counted(len(page.games), 'match')}, {counted(len(evaluation.class_names), 'class')}, "
            "tolerance "
            f"{window_text(evaluation.tolerances, framerate=evaluation.framerate)}"
        ),
        "headline": _headline(page, name),
        "notes": _notes(page),
        "analysis": analysis,
        "rows": list(zip(evaluation.classes, analysis.classes, strict=True)),
        "percent": percent,
        "plots": {
            "precision_recall": [(one.label, plots.precision_recall(one)) for one in analysis.classes],
            "tolerance": plots.tolerance_curve(analysis),
            "offsets": plots.offset_histogram(analysis),
            "loss": plots.epoch_curve(page.training, "loss", name="training loss") if page.training else "",
            "score": plots.epoch_curve(page.training, "mAP@1", name="validation mAP@1, percent", factor=100.0)
            if page.training
            else "",
        },
        "confusion": _confusion(analysis),
        "curve_caption": "mAP by tolerance (full window): "
        + ", ".join(f"{seconds:g} s {percent(value)}" for seconds, value in analysis.tolerance_curve)
        + ".",
        "offsets_caption": (
            f"Hits: {num_hits}, of which {num_early} early, {offset[0]} on the exact frame, "
            f"{num_hits - num_early - offset[0]} late."
        ),
        "training_caption": (
            f"{counted(len(page.training), 'epoch')}; best validation mAP@1 {percent(best)}."
        ),
        "timelines": _timelines(page),
        "strips": [
            _strip(page, one, times_of)
            for one in worst_mistakes(analysis.outcomes, page.scores or {}, _NUM_MISTAKES)
        ],
        "table": [_row(one) for one in analysis.outcomes],
    }


def _notes(page: Page) -> list[str]:
    notes, analysis = list(page.evaluation.notes), page.analysis
    if analysis.rare_classes:
        notes.append(
            f"fewer than {MIN_SPOTS} spots of {', '.join(analysis.rare_classes)}: their AP is unreliable"
        )
    if analysis.interval is not None and analysis.short_games:
        notes.append(
            f"too short to resample, so the interval is too narrow: {', '.join(analysis.short_games)}"
        )
    return notes


def _headline(page: Page, name: str) -> list[dict[str, str]]:
    evaluation, analysis = page.evaluation, page.analysis
    numbers = [(percent(evaluation.mean_ap), f"{name}, the official score")]
    if analysis.interval is not None:
        low, high = analysis.interval.low, analysis.interval.high
        numbers.append((f"{percent(low, 1)} to {percent(high, 1)}", "95 % interval (bootstrap over minutes)"))
    if evaluation.teams:
        numbers.append(
            (percent(evaluation.teams.mean_ap_defined), "Team-mAP, mean over the annotated actions")
        )
    if analysis.chance is not None:
        numbers.append((percent(analysis.chance), "chance baseline"))
    precision, recall, f1 = analysis.micro
    numbers.append(
        (percent(f1), f"F1 over all spots: precision {percent(precision)}, recall {percent(recall)}")
    )
    if analysis.window_accuracy is not None:
        numbers.append((percent(analysis.window_accuracy.accuracy), "accuracy in 1 s windows around spots"))
    return [{"value": value, "caption": caption} for value, caption in numbers]


def _confusion(analysis: Analysis) -> dict[str, Any]:
    """Confusion counts, each with its share of the row total; the share sets how dark the cell is."""
    names = [*(one.label for one in analysis.classes), BACKGROUND]
    totals = analysis.confusion.sum(axis=1)
    rows = [
        (name, [(int(count), round(float(count) / max(1, int(total)), 3)) for count in counts])
        for name, counts, total in zip(names, analysis.confusion, totals, strict=True)
    ]
    return {"names": names, "rows": rows}


def _timelines(page: Page) -> list[dict[str, Any]]:
    """Marks of every half, wrapped into lines of five minutes."""
    halves: dict[tuple[str, int], list[Outcome]] = {
        (game.id, video.half): [] for game in page.games for video in game.videos
    }
    for one in page.analysis.outcomes:
        halves.setdefault((one.game, one.half), []).append(one)
    several = {game for game, half in halves if half != 1}
    return [
        {
            "name": f"{game.rpartition('/')[2]}{f', half {half}' if game in several else ''}",
            "lines": [_line(of_half, start) for start in _starts(of_half)],
        }
        for (game, half), of_half in halves.items()
    ]


def _starts(of_half: Sequence[Outcome]) -> range:
    last = max((mark.position_ms for one in of_half for mark in (one.spot, one.detection) if mark), default=0)
    return range(0, last + 1, _LINE_MS)


def _line(of_half: Sequence[Outcome], start: int) -> dict[str, Any]:
    inside = [one for one in of_half if start <= one.position_ms < start + _LINE_MS]
    kinds = Counter(one.kind for one in inside)
    return {
        "start": time_text(start),
        "summary": ", ".join(f"{kind}: {count}" for kind, count in kinds.items()) or "no marks",
        "marks": [
            # a spot and its detection may lie on two lines, so every outcome is tried on every line
            mark
            for one in of_half
            for mark in _marks(one, start)
        ],
    }


def _marks(outcome: Outcome, start: int) -> list[dict[str, Any]]:
    """Rectangles of the spot (above the line) and the detection (below it), if they fall on this line."""
    description = _description(outcome)
    marks = []
    for mark, top in ((outcome.spot, 4), (outcome.detection, 32)):
        if mark is not None and start <= mark.position_ms < start + _LINE_MS:
            x = min(round(_LINE_WIDTH * (mark.position_ms - start) / _LINE_MS, 1), _LINE_WIDTH - _MARK_WIDTH)
            marks.append(
                {
                    "kind": _CSS_CLASSES[outcome.kind],
                    "x": x,
                    "y": top,
                    "width": _MARK_WIDTH,
                    "height": 24,
                    "label": mark.label,
                    "description": description,
                }
            )
    return marks


def _description(outcome: Outcome) -> str:
    time = time_text(outcome.position_ms, decimals=1)
    confidence = f", confidence {outcome.detection.confidence:.2f}" if outcome.detection else ""
    match outcome.kind:
        case "hit":
            assert outcome.spot is not None
            return f"{time} {outcome.spot.label} hit, {outcome.offset_ms:+} ms{confidence}"
        case "confused":
            assert outcome.spot is not None
            assert outcome.detection is not None
            return f"{time} {outcome.spot.label} detected as {outcome.detection.label}{confidence}"
        case "miss":
            assert outcome.spot is not None
            return f"{time} {outcome.spot.label} missed"
        case _:
            assert outcome.detection is not None
            return f"{time} {outcome.detection.label} false positive{confidence}"


def _strip(page: Page, outcome: Outcome, times_of: Callable[[Path], VideoTimes]) -> dict[str, str | None]:
    game = next(game for game in page.games if game.id == outcome.game)
    path = next((video.path for video in game.videos if video.half == outcome.half), None)
    image = None
    if path is not None:
        times = times_of(path)
        origin = position_origin(times, page.time_origin)
        image = frame_strip(times, outcome.position_ms, origin_pts=origin)
    return {"image": image, "caption": f"{game.id.rpartition('/')[2]}, {_description(outcome)}"}


def _row(outcome: Outcome) -> dict[str, str]:
    return {
        "match": outcome.game.rpartition("/")[2],
        "time": f"{outcome.half} - {time_text(outcome.position_ms, decimals=1)}",
        "label": outcome.spot.label if outcome.spot else "",
        "detected": outcome.detection.label if outcome.detection else "",
        "confidence": f"{outcome.detection.confidence:.3f}" if outcome.detection else "",
        "offset": str(outcome.offset_ms) if outcome.spot and outcome.detection else "",
    }
