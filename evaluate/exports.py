"""Events of a match as other programs read them: CSV, SubRip subtitles, and OSL JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from bas.clock import game_time, position_of
from bas.files import atomic_write, write_json
from bas.types import Detection, Video

_SHOWN_MS = 1500
_SUBTITLED = 0.2
"""Confidence from which on an event is shown over the video: of weaker ones there are hundreds."""
_HEAD = "ball_action"


def write_exports(
    folder: Path,
    game: str,
    videos: Sequence[Video],
    events: Mapping[int, Sequence[Detection]],
    *,
    classes: Sequence[str],
    fps: Fraction,
) -> None:
    """Write events.csv, a .srt for each video, and events.osl.json into a game's folder.

    Args:
        folder: to write to.
        game: its id.
        videos: of the game.
        events: by half.
        classes: the vocabulary.
        fps: ticks a second of the events' clock.
    """
    atomic_write(folder / "events.csv", csv_text(events, fps=fps).encode())
    for video in videos:
        subtitles = srt_text(events.get(video.half, ()), fps=fps)
        atomic_write(folder / f"{video.path.stem}.srt", subtitles.encode())
    write_json(folder / "events.osl.json", osl_document(game, videos, events, classes=classes, fps=fps))


def csv_text(events: Mapping[int, Sequence[Detection]], *, fps: Fraction) -> str:
    """A line an event, in time."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["half", "position_ms", "time", "frame", "label", "team", "confidence"])
    for half, of_half in sorted(events.items()):
        for event in sorted(of_half, key=lambda event: event.frame):
            position_ms = position_of(event.frame, fps)
            time = game_time(half, position_ms).partition(" - ")[2]
            table.writerow(
                [half, position_ms, time, event.frame, event.label, event.team or "", f"{event.score:.4f}"]
            )
    return text.getvalue()


def srt_text(events: Sequence[Detection], *, fps: Fraction) -> str:
    """Subtitles of the surer events, each shown from its frame until the next or for 1.5 s."""
    shown = sorted((event for event in events if event.score >= _SUBTITLED), key=lambda event: event.frame)
    starts = [position_of(event.frame, fps) for event in shown]
    blocks = []
    for number, (event, start) in enumerate(zip(shown, starts, strict=True), 1):
        following = next((later for later in starts[number:] if later > start), start + _SHOWN_MS)
        team = f" ({event.team})" if event.team else ""
        blocks.append(
            f"{number}\n{_srt_time(start)} --> {_srt_time(min(start + _SHOWN_MS, following))}\n"
            f"{event.label}{team} {event.score:.2f}\n"
        )
    return "\n".join(blocks)


def osl_document(
    game: str,
    videos: Sequence[Video],
    events: Mapping[int, Sequence[Detection]],
    *,
    classes: Sequence[str],
    fps: Fraction,
) -> dict[str, Any]:
    """OSL JSON v2: what opensportslib and its annotation program read, with both keys of a confidence."""
    return {
        "version": "2.0",
        "dataset_name": "bas",
        "modalities": ["video"],
        "task": "localization",
        "metadata": {"type": "predictions", "created_by": "bas"},
        "labels": {_HEAD: {"type": "single_label", "labels": list(classes)}},
        "data": [
            {
                "id": game if len(videos) == 1 else f"{game}/{video.half}",
                "inputs": [{"type": "video", "path": video.path.name, "fps": float(fps)}],
                "events": [
                    _osl_event(event, half=video.half, fps=fps) for event in events.get(video.half, ())
                ],
                "metadata": {"half": video.half},
            }
            for video in videos
        ],
    }


def _osl_event(event: Detection, *, half: int, fps: Fraction) -> dict[str, Any]:
    position_ms = position_of(event.frame, fps)
    told: dict[str, Any] = {
        "head": _HEAD,
        "label": event.label,
        "gameTime": game_time(half, position_ms),
        "position_ms": position_ms,
        "frame": event.frame,
        "confidence": event.score,
        "confidence_score": event.score,
    }
    return told if event.team is None else told | {"team": event.team}


def _srt_time(position_ms: int) -> str:
    seconds, milliseconds = divmod(position_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{milliseconds:03d}"
