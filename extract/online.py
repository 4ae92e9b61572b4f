"""Feature rows of one video from an encoder in training, as a cache would hold them, but never cached."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch
from jaxtyping import Bool, Float16

from bas.config.base import Decoder
from bas.config.extract import ExtractSettings
from bas.errors import OutputError
from bas.extract.decode.frames import DecodeStats
from bas.extract.decode.timeline import VideoTimeline
from bas.extract.encode.encoder import FrozenEncoder, rows_per_call
from bas.extract.encode.stacks import canvas_of, stack_batches
from bas.extract.segments import FLOAT16_MAX, record_valid
from bas.signals import StopFlag


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """Feature rows of one video that exist only inside a `with` block."""

    features: Float16[np.ndarray, "rows channels height width"]
    valid: Bool[np.ndarray, "rows"]
    """False for rows with a missing or damaged picture."""
    hop: int
    num_frames: int
    rate: Fraction
    """Frames per second."""


@contextmanager
def features_of(
    timeline: VideoTimeline,
    encoder: FrozenEncoder,
    settings: ExtractSettings,
    *,
    decoder: Decoder,
    folder: Path,
    stop: StopFlag,
) -> Iterator[OnlineFeatures]:
    """Encode a whole video; its feature rows last as long as the `with` block.

    The rows lie in a temporary file without a name, so that memory does not grow with the match.

    Args:
        timeline: timeline of the video.
        encoder: frozen copy of the encoder in training.
        settings: settings of the rows.
        decoder: decoder of the video.
        folder: folder on whose disk the rows lie.
        stop: once it is raised, the remaining rows stay empty.

    Raises:
        OutputError: the disk has no room for the rows.
    """
    rows, canvas = timeline.rows, canvas_of(settings)
    step = rows_per_call(settings.batch, size=canvas.padded, device=encoder.device)
    calls = [range(i, min(i + step, len(rows))) for i in range(0, len(rows), step)]
    buffer = canvas.empty(step, device=encoder.device, dtype=encoder.dtype)
    valid = timeline.clock_frames.present.copy()
    frames = timeline.read_frames(
        range(len(rows)), decoder=decoder, device=encoder.device, stats=DecodeStats()
    )
    with TemporaryFile(dir=folder) as file, closing(frames):
        shape = (len(rows), encoder.width, *encoder.grid)
        _reserve(file.fileno(), 2 * math.prod(shape), folder=folder)  # two bytes per float16
        values = np.memmap(file, np.float16, "r+", shape=shape)
        for batch in stack_batches(
            record_valid(frames, valid), calls, rows=rows, canvas=canvas, buffer=buffer
        ):
            encoded = encoder(batch.stacks).clamp(-FLOAT16_MAX, FLOAT16_MAX)
            values[batch.rows.start : batch.rows.stop] = encoded.to(torch.float16).cpu().numpy()
            if stop.raised:
                break
        yield OnlineFeatures(
            features=values,
            valid=valid[rows.table(range(len(rows)))].all(axis=1),
            hop=settings.hop,
            num_frames=len(timeline.clock_frames),
            rate=settings.clock_rate,
        )


def _reserve(file: int, num_bytes: int, *, folder: Path) -> None:
    """Allocate the file's blocks now: writing to a memory map on a full disk kills the process (SIGBUS)."""
    try:
        os.posix_fallocate(file, 0, num_bytes)
    except OSError as error:
        raise OutputError(
            f"{folder}: no room for the feature rows of a video, {num_bytes / 2**30:.1f} GiB: "
            f"{error.strerror}. Free disk space there."
        ) from error
