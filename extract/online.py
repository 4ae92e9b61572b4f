"""The rows of one video by an encoder that is still being trained: as the cache would hold them, but kept nowhere."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch
from jaxtyping import Bool, Float16

from bas.config.settings import ExtractSettings
from bas.errors import OutputError
from bas.extract.decode import Decoder, Health
from bas.extract.encoder import FrozenEncoder, rows_a_call
from bas.extract.segments import FLOAT16_MAX, noting
from bas.extract.stacks import batches, canvas_of
from bas.extract.timeline import Timeline
from bas.signals import StopFlag


@contextmanager
def rows_of(
    timeline: Timeline,
    encoder: FrozenEncoder,
    settings: ExtractSettings,
    *,
    decoder: Decoder,
    folder: Path,
    stop: StopFlag,
) -> Iterator[tuple[Float16[np.ndarray, "rows channels height width"], Bool[np.ndarray, "rows"]]]:
    """Rows of a whole video, and which of them have their pictures, as long as the block runs.

    They lie in a file without a name, so that memory does not grow with the match.

    Args:
        timeline: of the video.
        encoder: frozen copy of the one that is trained.
        settings: of the rows.
        decoder: of the video.
        folder: on whose disk the rows lie.
        stop: once it is raised, the rows that are left stay empty.

    Raises:
        OutputError: the disk is too full for the rows.
    """
    rows, canvas = timeline.rows, canvas_of(settings)
    step = rows_a_call(settings.batch, size=canvas.padded, device=encoder.device)
    calls = [range(i, min(i + step, len(rows))) for i in range(0, len(rows), step)]
    buffer = canvas.empty(step, device=encoder.device, dtype=encoder.dtype)
    sound = timeline.ticks.present.copy()
    frames = timeline.frames(range(len(rows)), decoder=decoder, device=encoder.device, health=Health())
    with TemporaryFile(dir=folder) as file, closing(frames):
        shape = (len(rows), encoder.width, *encoder.grid)
        _reserve(file.fileno(), 2 * math.prod(shape), folder=folder)
        values = np.memmap(file, np.float16, "r+", shape=shape)
        for batch in batches(noting(frames, sound), calls, rows=rows, canvas=canvas, buffer=buffer):
            encoded = encoder(batch.stacks).clamp(-FLOAT16_MAX, FLOAT16_MAX)
            values[batch.rows.start : batch.rows.stop] = encoded.to(torch.float16).cpu().numpy()
            if stop.raised:
                break
        yield values, sound[rows.table(range(len(rows)))].all(axis=1)


def _reserve(file: int, num_bytes: int, *, folder: Path) -> None:
    """Take the room on the disk now: a map of a file that cannot grow ends the process."""
    try:
        os.posix_fallocate(file, 0, num_bytes)
    except OSError as error:
        raise OutputError(
            f"{folder} has no room for the rows of a video while it is scored, {num_bytes / 2**30:.1f} GiB: "
            f"{error.strerror}. Make room there."
        ) from error
