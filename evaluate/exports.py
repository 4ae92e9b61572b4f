"""The events of a game in the forms that other programs read: CSV, SubRip, and OSL JSON v2."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from bas.clock import game_time, position_of
from bas.config import PeaksSettings
from bas.evaluate.osl import PredictedGame, osl_document
from bas.evaluate.subtitles import subtitles
from bas.files import atomic_write, write_json
from bas.types import Detection

EVENTS_FILE, OSL_FILE = "events.csv", "osl.json"


def write_exports(folder: Path, predicted: PredictedGame, *, peaks: PeaksSettings) -> None:
    """Write `events.csv` of one game, and `<video stem>.srt` of each of its videos: of what is sure enough.

    Args:
        folder: of the game.
        predicted: every event.
        peaks: say what is sure enough to be shown to people.
    """
    atomic_write(folder / EVENTS_FILE, table(predicted.events, fps=predicted.fps).encode())
    for video in predicted.game.videos:
        events = predicted.events.get(video.half, ())
        sure = [event for event in events if event.score >= peaks.threshold(event.label)]
        text = subtitles(sure, fps=predicted.fps)
        atomic_write(folder / f"{video.path.stem}.srt", text.encode())


def write_osl(
    folder: Path, predicted: Sequence[PredictedGame], *, classes: Sequence[str], split: str | None = None
) -> None:
    """Write `osl.json` of all games; arguments as those of `osl_document`."""
    document = osl_document(predicted, classes=classes, split=split, folder=folder)
    write_json(folder / OSL_FILE, document)


def table(events: Mapping[int, Sequence[Detection]], *, fps: Fraction) -> str:
    """Every event as a line of CSV, with a head line."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["half", "position_ms", "time", "frame", "label", "team", "confidence"])
    for half, claimed in events.items():
        for event in claimed:
            position_ms = position_of(event.frame, fps)
            time = game_time(half, position_ms).partition(" - ")[2]
            confidence = f"{event.score:.4f}"
            lines.writerow([half, position_ms, time, event.frame, event.label, event.team or "", confidence])
    return text.getvalue()
