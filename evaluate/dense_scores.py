"""Dense scores: one row per frame of a video, both ends included, and stored in scores.h5."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from bas import files
from bas.clock import parse_rate
from bas.errors import MissingError
from bas.guarded.hdf5 import GuardedFile, open_guarded, require, trailer
from bas.types import Scores, VideoFeatures


def frame_scores(
    rows: Float[np.ndarray, "rows classes"], features: VideoFeatures, *, classes: tuple[str, ...]
) -> Scores:
    """Scores of every frame of a video from those of its feature rows, by `interpolate_rows`."""
    values = interpolate_rows(rows, features.valid, hop=features.hop, num_frames=features.num_frames)
    return Scores(values, classes, features.rate)


def interpolate_rows(
    rows: Float[np.ndarray, "rows classes"], valid: Bool[np.ndarray, "rows"], *, hop: int, num_frames: int
) -> Float[np.ndarray, "frames classes"]:
    """Interpolate scores linearly between rows; before the first and after the last, hold theirs.

    A row with a missing or damaged picture is left out: its frames are interpolated from its neighbors.

    Args:
        rows: scores of frames 0, hop, 2 * hop, ...
        valid: whether all pictures of a row are there.
        hop: frames between consecutive rows.
        num_frames: number of frames of the video.
    """
    known = np.flatnonzero(valid)
    if not len(known):
        return np.zeros((num_frames, rows.shape[1]), dtype=np.float32)
    frames = np.arange(num_frames)
    values = np.empty((num_frames, rows.shape[1]), dtype=np.float32)
    for column in range(rows.shape[1]):
        values[:, column] = np.interp(frames, known * hop, rows[known, column])
    return values


SCORES_FILE = "scores.h5"


def write_scores(path: Path, halves: Mapping[int, Scores]) -> None:
    """Write the scores of one game atomically, with a dataset `/<half>` of shape (frames, classes) per half."""
    import h5py

    memory = io.BytesIO()  # HDF5 does not report a full disk cleanly, atomic_write does
    with h5py.File(memory, "w") as file:
        for half, scores in halves.items():
            dataset = file.create_dataset(str(half), data=scores.values.astype(np.float32))
            dataset.attrs["classes"] = np.array([name.encode() for name in scores.classes])
            dataset.attrs["fps"] = np.bytes_(str(scores.fps))
    content = memory.getvalue()
    files.atomic_write(path, content + trailer(content))


@files.reopens
def read_scores(path: Path) -> dict[int, Scores]:
    """Read the scores of one game, by half.

    Raises:
        MissingError: the file does not exist.
        DataError: the file is damaged, or was not written by `write_scores`.
    """
    # Files of earlier versions end without a trailer.
    checked = open_guarded(
        path, kind="scores file", remedy="Delete it and run `bas eval` again.", sealed=False
    )
    try:
        with checked as file:
            names = file.names()
            require(
                names <= {"1", "2"}, f"its datasets are {sorted(names)}; expected 1 and 2, for the halves"
            )
            require(bool(names), "it holds no scores")
            return {int(name): _read_half(file, name) for name in sorted(names)}
    except FileNotFoundError as error:
        raise MissingError(f"{path} does not exist. `bas eval` writes it.") from error


def _read_half(file: GuardedFile, name: str) -> Scores:
    classes = file.texts("classes", of=name)
    require(len(set(classes)) == len(classes), f"/{name} has a class twice")
    values = file.values(name, "<f4", (-1, len(classes)))
    require(bool(np.isfinite(values).all()), f"/{name} holds values that are not finite")
    return Scores(values, classes, parse_rate(file.text("fps", of=name)))
