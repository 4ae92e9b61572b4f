"""Export of detections to the formats of other programs: CSV, SubRip and OSL JSON v2."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from bas.clock import game_time, position_of
from bas.config import PeaksSettings
from bas.evaluate.formats.osl import PredictedGame, osl_document
from bas.evaluate.formats.subtitles import subtitles
from bas.files import atomic_write, write_json
from bas.types import Detection

EVENTS_FILE, OSL_FILE = "events.csv", "osl.json"


def write_exports(folder: Path, predicted: PredictedGame, *, peaks: PeaksSettings) -> None:
    """Write all detections of a game to `events.csv`, and those to be shown to one `<video stem>.srt` per video.

    Args:
        folder: folder of the game.
        predicted: the game with all its detections.
        peaks: post-processing settings, for the display threshold of each class.
    """
    atomic_write(folder / EVENTS_FILE, csv_table(predicted.detections, fps=predicted.fps).encode())
    for video in predicted.game.videos:
        detections = predicted.detections.get(video.half, ())
        shown = [one for one in detections if one.score >= peaks.threshold(one.label)]
        text = subtitles(shown, fps=predicted.fps)
        atomic_write(folder / f"{video.path.stem}.srt", text.encode())


def write_osl(
    folder: Path, predicted: Sequence[PredictedGame], *, classes: Sequence[str], split: str | None = None
) -> None:
    """Write the `osl_document` of all games to `osl.json` in `folder`."""
    document = osl_document(predicted, classes=classes, split=split, folder=folder)
    write_json(folder / OSL_FILE, document)


def csv_table(detections: Mapping[int, Sequence[Detection]], *, fps: Fraction) -> str:
    """All detections as CSV text with a header line.

    Args:
        detections: detections by half.
        fps: frames per second of the detections' clock.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["half", "position_ms", "time", "frame", "label", "team", "confidence"])
    for half, of_half in detections.items():
        for one in of_half:
            position_ms = position_of(one.frame, fps)
            time = game_time(half, position_ms).partition(" - ")[2]
            confidence = f"{one.score:.4f}"
            lines.writerow([half, position_ms, time, one.frame, one.label, one.team or "", confidence])
    return text.getvalue()
