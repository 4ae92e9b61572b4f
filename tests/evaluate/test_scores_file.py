"""Dense scores are read back as written; any other file is an error."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest

from bas.errors import DataError, MissingError
from bas.evaluate.scores import read_scores, write_scores
from bas.types import Scores


def test_scores_are_read_back_bit_for_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    halves = {
        half: Scores(random.random((frames, 2), dtype=np.float32), ("PASS", "Schuß"), Fraction(30000, 1001))
        for half, frames in ((1, 200), (2, 0))
    }
    write_scores(tmp_path / "game" / "scores.h5", halves)
    read = read_scores(tmp_path / "game" / "scores.h5")
    assert list(read) == [1, 2]
    for half, scores in halves.items():
        assert np.array_equal(read[half].values, scores.values)
        assert read[half].values.dtype == np.float32
        assert (read[half].classes, read[half].fps) == (scores.classes, scores.fps)


def test_attributes_are_strings_of_fixed_length(tmp_path: Path) -> None:
    scores = Scores(np.zeros((3, 1), dtype=np.float32), ("PASS",), Fraction(25))
    write_scores(tmp_path / "scores.h5", {1: scores})
    with h5py.File(tmp_path / "scores.h5") as file:
        assert {name: file["1"].attrs.get_id(name).dtype.kind for name in ("classes", "fps")} == {
            "classes": "S",
            "fps": "S",
        }


def test_any_other_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="does not exist"):
        read_scores(tmp_path / "scores.h5")
    (tmp_path / "scores.h5").write_bytes(b"no HDF5")
    with pytest.raises(DataError, match="is not a valid scores file"):
        read_scores(tmp_path / "scores.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["1"] = np.zeros((3, 1), dtype=np.float32)
    with pytest.raises(DataError, match="is not a valid scores file"):
        read_scores(tmp_path / "other.h5")
