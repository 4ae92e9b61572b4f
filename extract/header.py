"""All of a cache file but its rows: read with suspicion, for h5py and HDF5 trust what they read.

The last bytes of a file, after the rows, hold the length and the SHA-256 of all that comes before
the rows: damage there is found before HDF5, which a flipped bit can hang for ever, parses any of it.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from bas.errors import DataError, MissingError
from bas.extract.parts import Segments
from bas.extract.precision import Precision

FORMAT = "bas features 1"
_TRAILER = struct.Struct("<8sQ32s")
_MAGIC = b"bas rows"
_LONGEST_HEADER = 256 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """The attributes of a cache file, one each: numbers, and texts of fixed length."""

    format: str
    fingerprint: str
    clock: str
    """Ticks a second."""
    hop: int
    num_frames: int
    """Ticks of the clock from the first picture to the last."""
    segment_rows: int
    video_bytes: int
    video_sha256: str
    time_base: str
    """Seconds per unit of /pts."""
    origin_pts: int
    """Presentation time of tick 0."""
    expected: int
    """Ticks that rows hold."""
    missing: int
    """Of these, ticks without a picture."""
    damaged: int
    """Of these, ticks whose picture is damaged."""
    clamped: int
    """Values beyond the range of float16, set to its ends."""
    decoder: str
    precision: Precision
    versions: str
    complete: int
    """1; a file is named only when all rows are in it."""


@dataclass(frozen=True, slots=True)
class Header:
    """All of a cache file but its rows."""

    facts: Facts
    offset: int
    """Of the rows in the file, in bytes."""
    shape: tuple[int, int, int, int]
    """Of the rows."""
    pts: Int64[np.ndarray, "ticks"]
    """Presentation time of the picture at each tick."""
    valid: Bool[np.ndarray, "rows"]
    """False for rows that hold a missing or damaged picture."""
    segment_sha256: tuple[str, ...]
    """Of the rows of each segment, in hex."""
    identity: str
    """SHA-256, in hex, of all but the rows, their own hashes included: equal for equal files."""


def read_header(path: Path) -> Header:
    """Check all of a cache file but the bytes of its rows.

    Raises:
        MissingError: there is no such file.
        DataError: it is damaged, or no cache.
    """
    header_bytes, identity = _sound_header(path)
    try:
        return _parse(path, header_bytes, identity)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error


def trailer(header: bytes) -> bytes:
    """The last bytes of a cache file whose part before the rows is `header`."""
    return _TRAILER.pack(_MAGIC, len(header), hashlib.sha256(header).digest())


def _sound_header(path: Path) -> tuple[int, str]:
    """Length and SHA-256 of all that comes before the rows, once they are found right."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            if size < _TRAILER.size:
                raise _damaged(path, f"it has {size} bytes")
            stream.seek(-_TRAILER.size, os.SEEK_END)
            magic, length, digest = _TRAILER.unpack(stream.read(_TRAILER.size))
            if magic != _MAGIC or length > min(size - _TRAILER.size, _LONGEST_HEADER):
                raise _damaged(path, "its end is not the one that bas writes")
            stream.seek(0)
            if hashlib.sha256(stream.read(length)).digest() != digest:
                raise _damaged(path, "its header does not have the hash that it should")
            return int(length), digest.hex()
    except FileNotFoundError as error:
        raise MissingError(f"{path} is not there. Make it with `bas extract`.") from error
    except OSError as error:
        raise _damaged(path, f"reading it failed: {error.strerror}") from error


def _parse(path: Path, header_bytes: int, identity: str) -> Header:
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        for name in file:
            link = file.id.links.get_info(name.encode())
            _require(link.type == h5py.h5l.TYPE_HARD, f"/{name} is a link to elsewhere")
        _require(set(file) == {"features", "pts", "valid", "segment_sha256"}, f"it holds {sorted(file)}")
        facts = _facts(file)
        rows = math.ceil(facts.num_frames / facts.hop)
        pts = _small(file["pts"], "<i8", (facts.num_frames,), header_bytes)
        valid = _small(file["valid"], "|b1", (rows,), header_bytes)
        hashes = _small(
            file["segment_sha256"], "|u1", (len(Segments(rows, facts.segment_rows)), 32), header_bytes
        )
        features = file["features"]
        _require_plain(features, "<f2", 4)
        offset, shape = features.id.get_offset(), features.shape
        _require(shape[0] == rows, f"it has {shape[0]} rows for {facts.num_frames} frames")
        _require(offset == header_bytes, "its rows do not begin where its header ends")
        end = offset + 2 * math.prod(shape)
        _require(end + _TRAILER.size == path.stat().st_size, "it is longer or shorter than its rows")
    return Header(
        facts=facts,
        offset=offset,
        shape=shape,
        pts=pts,
        valid=valid,
        segment_sha256=tuple(row.tobytes().hex() for row in hashes),
        identity=identity,
    )


def _facts(file: Any) -> Facts:
    import h5py

    values: dict[str, Any] = {}
    for name, kind in Facts.__annotations__.items():
        found = h5py.h5a.open(file.id, name.encode()).dtype
        _require(found.kind == ("i" if kind == "int" else "S"), f"its attribute {name} is of type {found}")
        value = file.attrs[name]
        values[name] = int(value) if kind == "int" else value.decode()
    facts = Facts(**values)
    _require(facts.format == FORMAT, f"its format is {facts.format!r}, not {FORMAT!r}")
    _require(facts.complete == 1, "it is not complete")
    _require(
        min(facts.hop, facts.num_frames, facts.segment_rows) > 0 and Fraction(facts.clock) > 0, "no rows"
    )
    return facts


def _require_plain(dataset: Any, dtype: str, ndim: int) -> None:
    """Nothing of HDF5 that reads elsewhere, runs code, or needs memory for what is not there."""
    name = dataset.name
    _require(dataset.dtype == np.dtype(dtype) and dataset.ndim == ndim, f"{name} is {dataset.dtype}")
    plain = dataset.chunks is None and dataset.external is None and not dataset.is_virtual
    _require(plain and dataset.id.get_offset() is not None, f"{name} does not lie in one piece in this file")


def _small(dataset: Any, dtype: str, shape: tuple[int, ...], header_bytes: int) -> Any:
    _require_plain(dataset, dtype, len(shape))
    _require(dataset.shape == shape, f"{dataset.name} has the shape {dataset.shape}, not {shape}")
    end = dataset.id.get_offset() + dataset.id.get_storage_size()
    _require(end <= header_bytes, f"{dataset.name} does not end before the rows")
    return dataset[()]


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise ValueError(text)


def _damaged(path: Path, text: str) -> DataError:
    return DataError(
        f"{path} is not a sound feature cache: {text}. Run `bas extract` again: it makes the file anew."
    )
