"""`bas predict`: spot the actions in one video; a table, and files in every format."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from bas import console
from bas.clock import position_of, time_text
from bas.heads.inference.predictor import load_predictor
from bas.heads.inference.single_video import require_file, sidecar_folder, video_game
from bas.messages import counted
from bas.types import Detection
from bas.workspace import Workspace

_SHOWN = 20  # rows of the table


def predict_video(
    video: Path, model: Path, workspace: Workspace, *, out: Path | None = None, flip: bool = False
) -> None:
    """Spot the actions in one video; write all detections, and print those that reach the threshold of their class.

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
    predicted = predictor.write_video(video_game(video), out)
    ((half, detections),) = predicted.detections.items()
    postprocess = predictor.postprocess
    shown = [one for one in detections if one.score >= postprocess.threshold(one.label)]
    _print_detections(shown, predicted.fps, lead_ms=predicted.leads_ms[half])
    console.info(
        f"Files in {out}: results_spotting.json, events.csv and osl.json with {counted(len(detections), 'detection')} "
        f"of any confidence, subtitles (.srt) with the {len(shown)} that reach the threshold of their class."
    )


def _print_detections(detections: Sequence[Detection], fps: Fraction, *, lead_ms: int) -> None:
    """Print the detections of highest confidence, in order of time on a player's clock."""
    shown = sorted(detections, key=lambda detection: -detection.score)[:_SHOWN]
    title = f"{counted(len(detections), 'detection')} at the thresholds of the model"
    if len(shown) < len(detections):
        title += f", the {len(shown)} of highest confidence"
    table = console.table(title, "time", "action", "team", "confidence", left=3)
    for one in sorted(shown, key=lambda detection: detection.frame):
        time = time_text(position_of(one.frame, fps) + lead_ms, decimals=1)
        table.add_row(time, one.label, one.team or "", f"{one.score:.2f}")
    console.show(table)
