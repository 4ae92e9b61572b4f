"""Dense scores on disk: one small HDF5 file per game, so that later steps need not run the model again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from bas import files
from bas.errors import DataError, MissingError
from bas.types import Scores

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
