"""Events as OSL JSON v2, the form of opensportslib and VideoAnnotationTool (2026).

The library writes `confidence` and the annotation program reads `confidence_score`: both are
written. No `timestamp_utc` is, for the program would believe it before the position.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import bas
from bas.clock import frame_at, game_time, position_of
from bas.dataset import declared_fps
from bas.types import Detection, Game, Video

HEAD = "ball_action"
"""Name of the one head, as in the data sets of OpenSportsLab."""


@dataclass(frozen=True, slots=True)
class PredictedGame:
    """The events of one game, by half."""

    game: Game
    events: Mapping[int, Sequence[Detection]]
    fps: Fraction
    """Ticks a second of the events' clock."""


def osl_document(
    predicted: Sequence[PredictedGame], *, classes: Sequence[str], split: str | None, folder: Path
) -> dict[str, Any]:
    """An item for every video; `frame` counts the video's own pictures.

    Args:
        predicted: games with their events.
        classes: labels that may occur, without teams.
        split: what the games are called, if anything.
        folder: of the document, to which the paths of the videos are relative.
    """
    metadata = {"type": "predictions", "created_by": f"bas {bas.__version__}"}
    return {
        "version": "2.0",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "dataset_name": "ball action spotting",
        "description": "Events that a model of bas claims",
        "modalities": ["video"],
        "metadata": metadata | ({"split": split} if split else {}),
        "task": "localization",
        "labels": {HEAD: {"type": "single_label", "labels": list(classes)}},
        "data": [
            _item(one.game, video, one.events.get(video.half, ()), fps=one.fps, folder=folder)
            for one in predicted
            for video in one.game.videos
        ],
    }


def _item(
    game: Game, video: Video, events: Sequence[Detection], *, fps: Fraction, folder: Path
) -> dict[str, Any]:
    own_fps = declared_fps(video.path) or fps
    physical = video.path.parent.resolve() / video.path.name  # `..` leaves a link through its target
    path = Path(os.path.relpath(physical, folder.resolve())).as_posix()
    return {
        "id": game.id if len(game.videos) == 1 else f"{game.id}/{video.path.stem}",
        "inputs": [{"type": "video", "path": path, "fps": float(own_fps)}],
        "events": [_event(event, video.half, fps=fps, own_fps=own_fps) for event in events],
        "metadata": {},
    }


def _event(event: Detection, half: int, *, fps: Fraction, own_fps: Fraction) -> dict[str, Any]:
    position_ms = position_of(event.frame, fps)
    written = {
        "head": HEAD,
        "label": event.label,
        "gameTime": game_time(half, position_ms),
        "position_ms": position_ms,
        "frame": frame_at(position_ms, own_fps),
        "confidence": float(event.score),
        "confidence_score": float(event.score),
    }
    return written if event.team is None else {**written, "team": event.team}
