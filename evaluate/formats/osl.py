"""Detections as OSL JSON v2, the format of opensportslib and VideoAnnotationTool (2026).

The library writes `confidence` and the annotation tool reads `confidence_score`, so both are
written. `timestamp_utc` is not, because the tool would trust it over the position.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import bas
from bas.clock import frame_at, game_time, position_of
from bas.dataset import declared_fps
from bas.types import Detection, Game, Video

HEAD = "ball_action"
"""Name of the only head (group of labels), as in the datasets of OpenSportsLab."""


@dataclass(frozen=True, slots=True)
class PredictedGame:
    """One game with its detections."""

    game: Game
    detections: Mapping[int, Sequence[Detection]]
    """Detections by half."""
    fps: Fraction
    """Frames per second of the detections' clock."""
    leads_ms: Mapping[int, int] = field(default_factory=dict)
    """Milliseconds by half that a player shows at position 0; 0 for halves that are not listed."""


def osl_document(
    predicted: Sequence[PredictedGame], *, classes: Sequence[str], split: str | None, folder: Path
) -> dict[str, Any]:
    """The OSL document of some games, with one item per video; `frame` is an index on the video's own clock.

    Args:
        predicted: games with their detections.
        classes: all labels of the model, without teams.
        split: name of the split, if any.
        folder: folder of the document; the video paths are written relative to it.
    """
    metadata = {"type": "predictions", "created_by": f"bas {bas.__version__}"}
    return {
        "version": "2.0",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "dataset_name": "ball action spotting",
        "description": "Detections of a bas model",
        "modalities": ["video"],
        "metadata": metadata | ({"split": split} if split else {}),
        "task": "localization",
        "labels": {HEAD: {"type": "single_label", "labels": list(classes)}},
        "data": [
            _item(one.game, video, one.detections.get(video.half, ()), fps=one.fps, folder=folder)
            for one in predicted
            for video in one.game.videos
        ],
    }


def _item(
    game: Game, video: Video, detections: Sequence[Detection], *, fps: Fraction, folder: Path
) -> dict[str, Any]:
    own_fps = declared_fps(video.path) or fps
    # Keeps a linked file, but resolves linked folders: `..` leaves those through their target.
    physical = video.path.parent.resolve() / video.path.name
    path = Path(os.path.relpath(physical, folder.resolve())).as_posix()
    return {
        "id": game.id if len(game.videos) == 1 else f"{game.id}/{video.path.stem}",
        "inputs": [{"type": "video", "path": path, "fps": float(own_fps)}],
        "events": [_event(detection, video.half, fps=fps, own_fps=own_fps) for detection in detections],
        "metadata": {},
    }


def _event(detection: Detection, half: int, *, fps: Fraction, own_fps: Fraction) -> dict[str, Any]:
    position_ms = position_of(detection.frame, fps)
    written = {
        "head": HEAD,
        "label": detection.label,
        "gameTime": game_time(half, position_ms),
        "position_ms": position_ms,
        "frame": frame_at(position_ms, own_fps),  # not detection.frame, which is on the model's clock
        "confidence": float(detection.score),
        "confidence_score": float(detection.score),
    }
    return written if detection.team is None else {**written, "team": detection.team}
