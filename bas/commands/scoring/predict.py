"""`bas predict`: spot the actions in one video; a table, and files in every format."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from bas import console
from bas.clock import position_of, time_text
from bas.heads.inference.predictor import load_predictor, require_file, sidecar_folder, video_game
from bas.types import Detection
from bas.workspace import Workspace

_SHOWN = 20  # rows of the table


def predict_video(
    video: Path, model: Path, workspace: Workspace, *, out: Path | None = None, flip: bool = False
) -> None:
    """Spot the actions in one video; print a table and write all files.

    Args:
        video: any video of a match.
        model: folder of a run or model.
        workspace: device and decoder; its folders are not used.
        out: folder for the files and the cached features; by default the sidecar folder of the video.
        flip: average the scores over the pictures and their mirror images.

    Raises:
        MissingError, DataError: the model or the video is missing or invalid.
    """
    require_file(video)
    out = out or sidecar_folder(video)
    predictor = load_predictor(model, workspace, flip=flip)
    (detections,) = predictor.write_video(video_game(video), out).detections.values()
    _print_detections(detections, predictor.model.settings.extract.clock_rate)
    console.info(
        f"All detections are in {out}: results_spotting.json, events.csv, osl.json, subtitles (.srt)"
    )


def _print_detections(detections: Sequence[Detection], fps: Fraction) -> None:
    """Print the detections of highest confidence, in order of time."""
    shown = sorted(detections, key=lambda detection: -detection.score)[:_SHOWN]
    table = console.table(
        f"{len(detections)} detections, the {len(shown)} of highest confidence",
        "time",
        "action",
        "team",
        "confidence",
        left=3,
    )
    for detection in sorted(shown, key=lambda detection: detection.frame):
        position_ms = position_of(detection.frame, fps)
        table.add_row(
            time_text(position_ms, decimals=1),
            detection.label,
            detection.team or "",
            f"{detection.score:.2f}",
        )
    console.show(table)
