"""Dense scores on disk: one small HDF5 file a game, so that later steps need no second pass."""

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
    """Write the scores of one game, whole and durable: a dataset `/<half>` (frames, classes) each."""
    import h5py

    memory = io.BytesIO()  # HDF5 must not meet a full disk
    with h5py.File(memory, "w") as file:
        for half, scores in halves.items():
            dataset = file.create_dataset(str(half), data=scores.values.astype(np.float32))
            dataset.attrs["classes"] = np.array([name.encode() for name in scores.classes])
            dataset.attrs["fps"] = np.bytes_(str(scores.fps))
    files.atomic_write(path, memory.getvalue())


def read_scores(path: Path) -> dict[int, Scores]:
    """Scores of one game, by half.

    Raises:
        MissingError: there is no such file.
        DataError: it is not one that `write_scores` wrote.
    """
    import h5py

    if not path.exists():
        raise MissingError(f"{path} is not there. `bas eval` writes it.")
    halves = {}
    try:
        with h5py.File(path, "r") as file:
            for half, dataset in file.items():
                classes = tuple(name.decode() for name in dataset.attrs["classes"])
                halves[int(half)] = Scores(dataset[()], classes, Fraction(dataset.attrs["fps"].decode()))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise DataError(
            f"{path} holds no scores of bas: {error}. Delete it and run `bas eval` again."
        ) from error
    return halves
