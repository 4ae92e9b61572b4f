"""Export of detections to the formats of other programs: CSV, SubRip and OSL JSON v2."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from bas.clock import position_of, time_text
from bas.config import PostprocessSettings
from bas.evaluate.formats.osl import PredictedGame, osl_document
from bas.files import atomic_write, write_json
from bas.types import Detection

CSV_FILE, OSL_FILE = "events.csv", "osl.json"

SHOWN_MS = 1500
"""Time for which a detection stays on screen, in subtitles and in rendered videos."""


def write_exports(folder: Path, predicted: PredictedGame, *, postprocess: PostprocessSettings) -> None:
    """Write all detections of a game to `events.csv`, and those to be shown to one `<video stem>.srt` per video.

    Both follow the clock of players, because people watch the video beside them.

    Args:
        folder: folder of the game.
        predicted: the game with all its detections.
        postprocess: post-processing settings, for the display threshold of each class.
    """
    atomic_write(folder / CSV_FILE, csv_table(predicted).encode())
    for video in predicted.game.videos:
        detections = predicted.detections.get(video.half, ())
        shown = [one for one in detections if one.score >= postprocess.threshold(one.label)]
        text = subtitles(shown, fps=predicted.fps, lead_ms=predicted.leads_ms.get(video.half, 0))
        atomic_write(folder / f"{video.path.stem}.srt", text.encode())


def write_osl(
    folder: Path, predicted: Sequence[PredictedGame], *, classes: Sequence[str], split: str | None = None
) -> None:
    """Write the `osl_document` of all games to `osl.json` in `folder`."""
    document = osl_document(predicted, classes=classes, split=split, folder=folder)
    write_json(folder / OSL_FILE, document)


def csv_table(predicted: PredictedGame) -> str:
    """All detections as CSV text with a header line: times on a player's clock, frames on the model's."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["half", "position_ms", "time", "frame", "label", "team", "confidence"])
    for half, of_half in predicted.detections.items():
        for one in of_half:
            position_ms = position_of(one.frame, predicted.fps) + predicted.leads_ms.get(half, 0)
            time = time_text(position_ms)
            confidence = f"{one.score:.4f}"
            lines.writerow([half, position_ms, time, one.frame, one.label, one.team or "", confidence])
    return text.getvalue()


def subtitles(detections: Sequence[Detection], *, fps: Fraction, lead_ms: int = 0) -> str:
    """SubRip text with one cue per interval of constant content, so that no two cues overlap.

    Args:
        detections: detections of one video.
        fps: frames per second of their clock.
        lead_ms: milliseconds that a player shows at position 0.
    """
    shown = sorted((position_of(e.frame, fps) + lead_ms, e.label, e.team or "", e.score) for e in detections)
    borders = sorted({border for start, *_ in shown for border in (start, start + SHOWN_MS)})
    cues: list[str] = []
    first = 0  # index of the first detection that may still be on screen
    for start, stop in pairwise(borders):
        while first < len(shown) and shown[first][0] + SHOWN_MS <= start:
            first += 1
        lines = []
        for position_ms, label, team, score in shown[first:]:
            if position_ms > start:
                break
            lines.append(f"{' '.join(filter(None, (label, team)))}  {100 * score:.0f} %")
        if lines:
            cues.append(f"{len(cues) + 1}\n{_time(start)} --> {_time(stop)}\n" + "\n".join(lines) + "\n")
    return "\n".join(cues)


def _time(position_ms: int) -> str:
    hours, rest = divmod(position_ms, 3_600_000)
    return f"{hours:02d}:{time_text(rest, decimals=3).replace('.', ',')}"
