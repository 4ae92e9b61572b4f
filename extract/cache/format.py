"""Cache file format without the rows, and a reader that distrusts the file.

h5py and HDF5 trust what they read: a flipped bit can hang HDF5 for ever, and a hostile file can
make it read other files. So the last bytes of a file, after the rows, hold the length and the
SHA-256 of everything before the rows. They are checked before HDF5 parses anything.

    offset 0            length                              end - 48            end
    | HDF5 header       | rows, float16, contiguous         | trailer           |
    | attributes, /pts, | /features; one SHA-256 per        | magic, length,    |
    | /valid, hashes    | segment lies in the header        | SHA-256 of header |
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Int64

from bas.config.base import Precision
from bas.errors import DataError, MissingError
from bas.extract.cache.parts import Segments
from bas.messages import counted

FORMAT = "bas features 1"
_TRAILER = struct.Struct("<8sQ32s")
_MAGIC = b"bas rows"
_MAX_HEADER_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class CacheAttributes:
    """HDF5 attributes of a cache file: one per field, integers and strings of fixed length.

    The field names are the names on disk.
    """

    format: str
    fingerprint: str
    clock: str
    """Frames per second."""
    hop: int
    num_frames: int
    """Number of frames on the model's clock, from frame 0 to the last picture."""
    segment_rows: int
    video_bytes: int
    video_sha256: str
    time_base: str
    """Seconds per unit of /pts."""
    origin_pts: int
    """Presentation time of frame 0."""
    expected: int
    """Number of frames that rows hold."""
    missing: int
    """Number of these frames without a picture."""
    damaged: int
    """Number of these frames whose picture is damaged."""
    clamped: int
    """Number of values beyond the range of float16, clamped to it."""
    decoder: str
    precision: Precision
    versions: str
    complete: int
    """Always 1: a file gets its name only when all rows are in it."""
    turned: str = ""
    """How players turn the pictures of the video; written only if they do."""


@dataclass(frozen=True, slots=True)
class CacheHeader:
    """Everything in a cache file except the rows."""

    attributes: CacheAttributes
    offset: int
    """Offset of the rows in the file, in bytes."""
    shape: tuple[int, int, int, int]
    """Shape of the rows: (rows, channels, height, width)."""
    pts: Int64[np.ndarray, "frames"]
    """Presentation time of the picture at each frame."""
    valid: Bool[np.ndarray, "rows"]
    """False for rows that hold a missing or damaged picture."""
    segment_sha256: tuple[str, ...]
    """SHA-256 of each segment's rows, in hex."""
    identity: str
    """SHA-256 of the header, in hex. It covers the hashes of the rows, so equal files have equal values."""


def read_header(path: Path) -> CacheHeader:
    """Read and check everything in a cache file except the bytes of its rows.

    Raises:
        MissingError: the file does not exist.
        DataError: the file is damaged or not a cache.
    """
    header_bytes, identity = _checked_header(path)
    try:
        return _parse(path, header_bytes, identity)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise _invalid(path, str(error)) from error


def trailer(header: bytes) -> bytes:
    """Return the last bytes of a cache file that starts with `header`."""
    return _TRAILER.pack(_MAGIC, len(header), hashlib.sha256(header).digest())


def ends_with_trailer(stream: BinaryIO, header: CacheHeader) -> bool:
    """Whether an open file still has the trailer of `header`, where the rows end."""
    end = header.offset + 2 * math.prod(header.shape)
    expected = _TRAILER.pack(_MAGIC, header.offset, bytes.fromhex(header.identity))
    return os.pread(stream.fileno(), len(expected) + 1, end) == expected


def _checked_header(path: Path) -> tuple[int, str]:
    """Return length and SHA-256 of everything before the rows, after checking them against the trailer."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            if size < _TRAILER.size:
                raise _invalid(path, f"it has only {size} bytes")
            stream.seek(-_TRAILER.size, os.SEEK_END)
            magic, length, digest = _TRAILER.unpack(stream.read(_TRAILER.size))
            # The length is bounded before it is used: a damaged one must not fill the memory.
            if magic != _MAGIC or length > min(size - _TRAILER.size, _MAX_HEADER_BYTES):
                raise _invalid(path, "it does not end with a valid trailer")
            stream.seek(0)
            if hashlib.sha256(stream.read(length)).digest() != digest:
                raise _invalid(path, "the hash of its header is wrong")
            return int(length), digest.hex()
    except FileNotFoundError as error:
        raise MissingError(f"Missing feature cache {path}. Run `bas extract` to create it.") from error
    except OSError as error:
        raise _invalid(path, f"it cannot be read: {error.strerror}") from error


def _parse(path: Path, header_bytes: int, identity: str) -> CacheHeader:
    import h5py

    # The trailer proves that the header is as it was written, not that bas wrote it: anyone can
    # compute a hash. So each part is checked before it is used. A link is checked before it is
    # followed, and a dataset's type, place and size before any of its bytes are read.
    with h5py.File(path, "r", locking=False) as file:
        for name in file:
            link = file.id.links.get_info(name.encode())
            _require(link.type == h5py.h5l.TYPE_HARD, f"/{name} is a link to elsewhere")
        _require(
            set(file) == {"features", "pts", "valid", "segment_sha256"},
            f"it has unexpected or missing datasets: {sorted(file)}",
        )
        attributes = _read_attributes(file)
        rows = math.ceil(attributes.num_frames / attributes.hop)
        pts = _read_small(file["pts"], "<i8", (attributes.num_frames,), header_bytes)
        valid = _read_small(file["valid"], "|b1", (rows,), header_bytes)
        hashes = _read_small(
            file["segment_sha256"], "|u1", (len(Segments(rows, attributes.segment_rows)), 32), header_bytes
        )
        features = file["features"]
        _require_plain(features, "<f2", 4)
        offset, shape = features.id.get_offset(), features.shape
        _require(
            shape[0] == rows,
            f"it has {counted(shape[0], 'row')} for {counted(attributes.num_frames, 'frame')}",
        )
        # The rows are mapped at this offset and with this shape, past HDF5: both must fit the file.
        _require(offset == header_bytes, "its rows do not begin where its header ends")
        end = offset + 2 * math.prod(shape)
        _require(end + _TRAILER.size == path.stat().st_size, "its size does not match its rows")
    return CacheHeader(
        attributes=attributes,
        offset=offset,
        shape=shape,
        pts=pts,
        valid=valid,
        segment_sha256=tuple(row.tobytes().hex() for row in hashes),
        identity=identity,
    )


def _read_attributes(file: Any) -> CacheAttributes:
    import h5py

    values: dict[str, Any] = {}
    for name, kind in CacheAttributes.__annotations__.items():
        if name == "turned" and name not in file.attrs:
            continue
        # The type alone is read first: a string of variable length would be an address elsewhere in the file.
        found = h5py.h5a.open(file.id, name.encode()).dtype
        _require(found.kind == ("i" if kind == "int" else "S"), f"its attribute {name} is of type {found}")
        value = file.attrs[name]
        values[name] = int(value) if kind == "int" else value.decode()
    attributes = CacheAttributes(**values)
    _require(attributes.format == FORMAT, f"its format is {attributes.format!r}; expected {FORMAT!r}")
    _require(attributes.complete == 1, "it is not complete")
    _require(
        min(attributes.hop, attributes.num_frames, attributes.segment_rows) > 0
        and Fraction(attributes.clock) > 0,
        "no rows",
    )
    return attributes


def _require_plain(dataset: Any, dtype: str, ndim: int) -> None:
    """Refuse HDF5 features that read other files, run filters, or allocate memory for absent data."""
    name = dataset.name
    _require(dataset.dtype == np.dtype(dtype) and dataset.ndim == ndim, f"{name} is {dataset.dtype}")
    plain = dataset.chunks is None and dataset.external is None and not dataset.is_virtual
    # Without an offset nothing was ever stored: HDF5 would invent fill values of any declared size.
    _require(plain and dataset.id.get_offset() is not None, f"{name} is not stored in one piece in this file")


def _read_small(dataset: Any, dtype: str, shape: tuple[int, ...], header_bytes: int) -> Any:
    _require_plain(dataset, dtype, len(shape))
    _require(dataset.shape == shape, f"{dataset.name} has shape {dataset.shape}; expected {shape}")
    end = dataset.id.get_offset() + dataset.id.get_storage_size()
    # Only bytes before the rows are covered by the header's hash.
    _require(end <= header_bytes, f"{dataset.name} does not end before the rows")
    return dataset[()]


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise ValueError(text)


def _invalid(path: Path, text: str) -> DataError:
    return DataError(
        f"{path} is not a valid feature cache: {text}. Run `bas extract` again to recreate the file."
    )
