"""The report of a run as one HTML page that needs nothing else: numbers, figures, matches, and the worst mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bas import files
from bas.clock import game_time
from bas.config.settings import TimeOrigin
from bas.evaluate import plots
from bas.evaluate.analysis import BACKGROUND, Analysis
from bas.evaluate.mistakes import worst
from bas.evaluate.outcomes import Outcome
from bas.evaluate.score import Evaluation
from bas.evaluate.strips import strip
from bas.evaluate.tolerance import tolerance_name, window_text
from bas.types import Game, Scores

_WORST = 20
_LINE_MS = 5 * 60_000
_MARK_WIDTH = 2.5  # of a line's 1000
_TEMPLATE = "page.html"
_CLASSES = {"found": "found", "confused": "confused", "missed": "missed", "false alarm": "alarm"}


@dataclass(frozen=True, slots=True)
class Page:
    """What a page tells of."""

    title: str
    evaluation: Evaluation
    analysis: Analysis
    games: Sequence[Game]
    scores: Mapping[str, Mapping[int, Scores]] | None = None
    training: Sequence[Mapping[str, Any]] = ()
    """Records of the epochs, of a run that has them."""
    time_origin: TimeOrigin = "auto"
    """What positions in the videos count from."""


def write_page(path: Path, page: Page) -> None:
    """Write the page; pictures come from the videos of the games.

    Raises:
        MissingError, DataError: a video is not there, or cannot be opened.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bas.evaluate", ""), autoescape=True, undefined=StrictUndefined
    )
    text = environment.get_template(_TEMPLATE).render(_content(page))
    files.atomic_write(path, text.encode())


def _content(page: Page) -> dict[str, Any]:
    evaluation, analysis = page.evaluation, page.analysis
    name = f"mAP@{tolerance_name(evaluation.tolerances)}"
    offset = Counter(analysis.offset_frames)
    found, early = sum(offset.values()), sum(count for frames, count in offset.items() if frames < 0)
    best = max((r["mAP@1"] or 0.0 for r in page.training), default=0.0)
    return {
        "title": page.title,
        "subtitle": (
            f"{len(page.games)} match{'es' * (len(page.games) != 1)}, {len(evaluation.classes)} classes, window "
            f"{window_text(evaluation.tolerances, framerate=evaluation.framerate)}"
        ),
        "headline": _headline(page, name),
        "notes": _notes(page),
        "analysis": analysis,
        "rows": list(zip(evaluation.rows, analysis.classes, strict=True)),
        "percent": _percent,
        "plots": {
            "precision_recall": [(one.label, plots.precision_recall(one)) for one in analysis.classes],
            "tolerance": plots.tolerance_curve(analysis),
            "offsets": plots.offsets(analysis),
            "loss": plots.by_epoch(page.training, "loss", name="training loss") if page.training else "",
            "score": plots.by_epoch(page.training, "mAP@1", name="validation mAP@1, percent", factor=100.0)
            if page.training
            else "",
        },
        "confusion": _confusion(analysis),
        "curve_told": "mAP by whole window: "
        + ", ".join(f"{seconds:g} s {_percent(value)}" for seconds, value in analysis.curve)
        + ".",
        "offsets_told": f"Of {found} actions found, {early} were claimed early and {found - early - offset[0]} late.",
        "training_told": f"{len(page.training)} epoch{'s' * (len(page.training) != 1)}; best validation mAP@1 {_percent(best)}.",
        "timelines": _timelines(page),
        "strips": [_strip(page, one) for one in worst(analysis.outcomes, page.scores or {}, _WORST)],
        "table": [_row(one) for one in analysis.outcomes],
    }


def _notes(page: Page) -> list[str]:
    notes, analysis = list(page.evaluation.notes), page.analysis
    if analysis.few:
        notes.append(f"fewer than ten actions of {', '.join(analysis.few)}: their AP says little")
    if analysis.short:
        notes.append(f"too short to be resampled, so the interval is too narrow: {', '.join(analysis.short)}")
    return notes


def _headline(page: Page, name: str) -> list[dict[str, str]]:
    evaluation, analysis = page.evaluation, page.analysis
    numbers = [
        (_percent(evaluation.mean_ap), f"{name}, the official score"),
        (
            f"{_percent(analysis.interval.low, 1)} to {_percent(analysis.interval.high, 1)}",
            "95 % of resampled minutes",
        ),
    ]
    if evaluation.teams:
        numbers.append((_percent(evaluation.teams.mean_ap_defined), "Team-mAP, actions that occur"))
    if analysis.chance is not None:
        numbers.append((_percent(analysis.chance), "chance"))
    precision, recall, f1 = analysis.micro
    numbers.append(
        (_percent(f1), f"F1 of all actions: precision {_percent(precision)}, recall {_percent(recall)}")
    )
    if analysis.windows is not None:
        numbers.append((_percent(analysis.windows.accuracy), "accuracy of windows around actions"))
    return [{"value": value, "what": what} for value, what in numbers]


def _confusion(analysis: Analysis) -> dict[str, Any]:
    """Counts with their share of the row, which is how dark their cell is."""
    names = [*(one.label for one in analysis.classes), BACKGROUND]
    totals = analysis.confusion.sum(axis=1)
    rows = [
        (name, [(int(count), round(float(count) / max(1, int(total)), 3)) for count in counts])
        for name, counts, total in zip(names, analysis.confusion, totals, strict=True)
    ]
    return {"names": names, "rows": rows}


def _timelines(page: Page) -> list[dict[str, Any]]:
    """Of every half, lines of five minutes with their marks."""
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
    last = max((thing.position_ms for one in of_half for thing in (one.spot, one.claim) if thing), default=0)
    return range(0, last + 1, _LINE_MS)


def _line(of_half: Sequence[Outcome], start: int) -> dict[str, Any]:
    inside = [one for one in of_half if start <= one.position_ms < start + _LINE_MS]
    kinds = Counter(one.kind for one in inside)
    return {
        "start": _time(start),
        "told": ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "nothing",
        "marks": [mark for one in of_half for mark in _marks(one, start)],
    }


def _marks(one: Outcome, start: int) -> list[dict[str, Any]]:
    """The action above the line, the claim below it, of those whose time is on this line."""
    told = _told(one)
    marks = []
    for thing, top in ((one.spot, 4), (one.claim, 32)):
        if thing is not None and start <= thing.position_ms < start + _LINE_MS:
            x = min(round(1000 * (thing.position_ms - start) / _LINE_MS, 1), 1000 - _MARK_WIDTH)
            marks.append(
                {
                    "kind": _CLASSES[one.kind],
                    "x": x,
                    "y": top,
                    "width": _MARK_WIDTH,
                    "height": 24,
                    "label": thing.label,
                    "told": told,
                }
            )
    return marks


def _told(one: Outcome) -> str:
    time = _time(one.position_ms, tenths=True)
    sure = f", confidence {one.claim.confidence:.2f}" if one.claim else ""
    match one.kind:
        case "found":
            assert one.spot is not None
            return f"{time} {one.spot.label} found, {one.offset_ms:+} ms{sure}"
        case "confused":
            assert one.spot is not None
            assert one.claim is not None
            return f"{time} {one.spot.label} taken for {one.claim.label}{sure}"
        case "missed":
            assert one.spot is not None
            return f"{time} {one.spot.label} missed"
        case _:
            assert one.claim is not None
            return f"{time} {one.claim.label} where nothing is annotated{sure}"


def _strip(page: Page, one: Outcome) -> dict[str, str | None]:
    game = next(game for game in page.games if game.id == one.game)
    videos = [video.path for video in game.videos if video.half == one.half]
    image = strip(videos[0], one.position_ms, time_origin=page.time_origin) if videos else None
    return {"image": image, "told": f"{game.id.rpartition('/')[2]}, {_told(one)}"}


def _row(one: Outcome) -> dict[str, str]:
    return {
        "match": one.game.rpartition("/")[2],
        "time": f"{one.half} - {_time(one.position_ms, tenths=True)}",
        "label": one.spot.label if one.spot else "",
        "claimed": one.claim.label if one.claim else "",
        "confidence": f"{one.claim.confidence:.3f}" if one.claim else "",
        "offset": str(one.offset_ms) if one.spot and one.claim else "",
    }


def _time(position_ms: int, *, tenths: bool = False) -> str:
    time = game_time(1, position_ms).removeprefix("1 - ")
    return f"{time}.{position_ms % 1000 // 100}" if tenths else time


def _percent(value: float, digits: int = 2) -> str:
    return f"{100 * value:.{digits}f}"
