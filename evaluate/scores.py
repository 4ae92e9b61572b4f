"""Dense scores: one row per frame of a video, both ends included, and stored in scores.h5."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from bas import files
from bas.errors import DataError, MissingError
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
    files.atomic_write(path, memory.getvalue())


def read_scores(path: Path) -> dict[int, Scores]:
    """Read the scores of one game, by half.

    Raises:
        MissingError: the file does not exist.
        DataError: the file was not written by `write_scores`.
    """
    import h5py

    if not path.exists():
        raise MissingError(f"{path} does not exist. `bas eval` writes it.")
    halves = {}
    try:
        with h5py.File(path, "r") as file:
            for half, dataset in file.items():
                classes = tuple(name.decode() for name in dataset.attrs["classes"])
                halves[int(half)] = Scores(dataset[()], classes, Fraction(dataset.attrs["fps"].decode()))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise DataError(
            f"{path} is not a valid scores file: {error}. Delete it and run `bas eval` again."
        ) from error
    return halves
