"""Dense scores are read back as written; any other file is an error, and none makes HDF5 read another file."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bas.errors import DataError, MissingError
from bas.evaluate.dense_scores import read_scores, write_scores
from bas.guarded.hdf5 import TRAILER_BYTES
from bas.types import Scores


def test_scores_are_read_back_bit_for_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    halves = {
        half: Scores(random.random((frames, 2), dtype=np.float32), ("PASS", "Schuß"), Fraction(30000, 1001))
        for half, frames in ((1, 200), (2, 1))
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


def _half(file: h5py.File, name: str = "1", fps: str = "25", **options: Any) -> None:
    """Add a dataset with the attributes of scores of one class."""
    dataset = file.create_dataset(name, **(options or {"data": np.zeros((3, 1), np.float32)}))
    dataset.attrs["classes"] = np.array([b"PASS"])
    dataset.attrs["fps"] = np.bytes_(fps)


def _text_of_variable_length(file: h5py.File) -> None:
    _half(file)
    file["1"].attrs["fps"] = "25"


def _two_columns_of_one_class(file: h5py.File) -> None:
    _half(file, data=np.zeros((3, 2), np.float32))
    file["1"].attrs["classes"] = np.array([b"PASS", b"PASS"])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 1), "<f4")
    layout[:] = h5py.VirtualSource("secret.h5", "1", (3, 1))
    file.create_virtual_dataset("1", layout)
    file["1"].attrs["classes"], file["1"].attrs["fps"] = np.array([b"PASS"]), np.bytes_("25")


def _loop_of_groups(file: h5py.File) -> None:
    file["1"] = file["/"]
    file.attrs["classes"] = np.array([b"PASS"])


_ONE_PIECE = "not stored in one piece in this file"
_HOSTILE: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "external storage": (
        lambda file: _half(file, shape=(3, 1), dtype="<f4", external=[("secret", 0, 12)]),
        _ONE_PIECE,
    ),
    "external link": (
        lambda file: file.__setitem__("1", h5py.ExternalLink("secret.h5", "1")),
        "link to elsewhere",
    ),
    "soft link": (lambda file: file.__setitem__("1", h5py.SoftLink("/2")), "link to elsewhere"),
    "loop of links": (lambda file: file.__setitem__("1", h5py.SoftLink("/1")), "link to elsewhere"),
    "loop of groups": (_loop_of_groups, "/1 is a group"),
    "virtual": (_virtual, _ONE_PIECE),
    "compressed": (lambda file: _half(file, data=np.zeros((3, 1), "<f4"), compression="gzip"), _ONE_PIECE),
    "1 TiB": (lambda file: _half(file, shape=(1 << 38, 1), dtype="<f4"), _ONE_PIECE),
    "objects": (
        lambda file: _half(file, data=np.array([["x"]], object), dtype=h5py.string_dtype()),
        "/1 is object",
    ),
    "double precision": (lambda file: _half(file, data=np.zeros((3, 1))), "/1 is float64"),
    "one dimension": (lambda file: _half(file, data=np.zeros(3, np.float32)), "/1 is float32"),
    "no rows": (lambda file: _half(file, data=np.zeros((0, 1), np.float32)), "/1 is empty"),
    "no value": (lambda file: _half(file, data=h5py.Empty("<f4")), "/1 is float32 of shape None"),
    "a column too many": (lambda file: _half(file, data=np.zeros((3, 2), np.float32)), r"expected \(-1, 1\)"),
    "not a number": (lambda file: _half(file, data=np.full((3, 1), np.nan, np.float32)), "not finite"),
    "one class twice": (_two_columns_of_one_class, "a class twice"),
    "text of variable length": (_text_of_variable_length, "attribute fps is of type object"),
    "fps 1/0": (lambda file: _half(file, fps="1/0"), "invalid frame rate '1/0'"),
    "fps that fills the memory": (lambda file: _half(file, fps="1e999999999"), "invalid frame rate"),
    "fps of 0": (lambda file: _half(file, fps="0"), "invalid frame rate"),
    "no half": (lambda file: None, "it holds no scores"),
    "a third half": (lambda file: _half(file, "3"), "expected 1 and 2"),
    "a half without attributes": (
        lambda file: file.create_dataset("1", data=np.zeros((3, 1), "f4")),
        "classes",
    ),
}


@pytest.mark.fault("S02", "S05")
@pytest.mark.parametrize("kind", _HOSTILE)
def test_a_hostile_file_is_refused_and_no_other_file_is_read(tmp_path: Path, kind: str) -> None:
    spoil, message = _HOSTILE[kind]
    (tmp_path / "secret").write_bytes(np.ones(3, np.float32).tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        _half(secret)
    path = tmp_path / "scores.h5"
    with h5py.File(path, "w") as file:
        spoil(file)
    with pytest.raises(
        DataError, match=f"scores.h5 is not a valid scores file: .*{message}.*`bas eval` again"
    ):
        read_scores(path)


@pytest.mark.fault("S05")
def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scores.h5")
    with pytest.raises(DataError, match="scores.h5 is a named pipe"):
        read_scores(tmp_path / "scores.h5")


@pytest.mark.fault("C03")
def test_a_file_with_any_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.h5"
    values = np.random.default_rng(0).random((200, 2), dtype=np.float32)
    write_scores(path, {1: Scores(values, ("PASS", "DRIVE"), Fraction(25))})
    content = path.read_bytes()
    end = len(content) - TRAILER_BYTES
    for position in [
        *range(0, end, 13),
        *range(end + 8, len(content)),
    ]:  # the first 8 bytes say that there is a trailer
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        with pytest.raises(DataError, match="not a valid scores file"):
            read_scores(path)


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.h5"
    write_scores(path, {1: Scores(np.full((9, 1), 0.5, np.float32), ("PASS",), Fraction(25))})
    path.write_bytes(path.read_bytes()[:-TRAILER_BYTES])
    assert read_scores(path)[1].values.tolist() == [[0.5]] * 9
