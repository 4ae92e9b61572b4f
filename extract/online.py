"""The rows of one video by an encoder that is still being trained: as the cache would hold them, but kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch
from jaxtyping import Bool, Float16

from bas.config.settings import ExtractSettings
from bas.extract.decode import Decoder, Health
from bas.extract.encoder import FrozenEncoder, rows_a_call
from bas.extract.segments import FLOAT16_MAX, noting
from bas.extract.stacks import batches, canvas_of
from bas.extract.timeline import Timeline


@contextmanager
def rows_of(
    timeline: Timeline, encoder: FrozenEncoder, settings: ExtractSettings, *, decoder: Decoder, folder: Path
) -> Iterator[tuple[Float16[np.ndarray, "rows channels height width"], Bool[np.ndarray, "rows"]]]:
    """Rows of a whole video, and which of them have their pictures, as long as the block runs.

    They lie in a file without a name, so that memory does not grow with the match.

    Args:
        timeline: of the video.
        encoder: frozen copy of the one that is trained.
        settings: of the rows.
        decoder: of the video.
        folder: on whose disk the rows lie.
    """
    rows, canvas = timeline.rows, canvas_of(settings)
    step = rows_a_call(settings.batch, size=canvas.padded, device=encoder.device)
    calls = [range(i, min(i + step, len(rows))) for i in range(0, len(rows), step)]
    buffer = canvas.empty(step, device=encoder.device, dtype=encoder.dtype)
    sound = timeline.ticks.present.copy()
    frames = timeline.frames(range(len(rows)), decoder=decoder, device=encoder.device, health=Health())
    with TemporaryFile(dir=folder) as file, closing(frames):
        shape = (len(rows), encoder.width, *encoder.grid)
        values = np.memmap(file, np.float16, "w+", shape=shape)
        for batch in batches(noting(frames, sound), calls, rows=rows, canvas=canvas, buffer=buffer):
            encoded = encoder(batch.stacks).clamp(-FLOAT16_MAX, FLOAT16_MAX)
            values[batch.rows.start : batch.rows.stop] = encoded.to(torch.float16).cpu().numpy()
        yield values, sound[rows.table(range(len(rows)))].all(axis=1)
