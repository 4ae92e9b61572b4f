"""Cache file format without the rows: attributes, times, flags and hashes, and where the rows lie.

The rows are read past HDF5, through a memory map: they begin where the header ends.

    offset 0            length                              end - 48            end
    | HDF5 header       | rows, float16, contiguous         | trailer: hash of  |
    | attributes, /pts, | /features; one SHA-256 per        | the header, see   |
    | /valid, hashes    | segment lies in the header        | `bas.guarded.hdf5`        |
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Int64

from bas.clock import parse_rate
from bas.config.base import Precision
from bas.errors import MissingError
from bas.extract.cache.parts import Segments
from bas.files import reopens
from bas.guarded.hdf5 import TRAILER_BYTES, GuardedFile, open_guarded, pack_trailer, require
from bas.messages import counted

FORMAT = "bas features 1"
_DATASETS = {"features", "pts", "valid", "segment_sha256"}


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
    video_sample: str = ""
    """SHA-256 of blocks of the video, by `bas.files.sample_of`; empty in files of earlier versions."""


OPTIONAL = {"turned", "video_sample"}
"""Attributes that are written only if they are not empty, as in files that are older than them."""


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


@reopens
def read_header(path: Path) -> CacheHeader:
    """Read and check everything in a cache file except the bytes of its rows.

    Raises:
        MissingError: the file does not exist.
        DataError: the file is damaged or not a cache.
    """
    remedy = "Run `bas extract` again to recreate the file."
    try:
        with open_guarded(path, kind="feature cache", remedy=remedy) as file:
            return _parse(file, num_bytes=path.stat().st_size)
    except FileNotFoundError as error:
        raise MissingError(f"Missing feature cache {path}. Run `bas extract` to create it.") from error


def ends_with_trailer(stream: BinaryIO, header: CacheHeader) -> bool:
    """Whether an open file still has the trailer of `header`, where the rows end."""
    end = header.offset + 2 * math.prod(header.shape)
    expected = pack_trailer(header.offset, bytes.fromhex(header.identity))
    return os.pread(stream.fileno(), len(expected) + 1, end) == expected


def _parse(file: GuardedFile, *, num_bytes: int) -> CacheHeader:
    names = file.names()
    require(names == _DATASETS, f"it has unexpected or missing datasets: {sorted(names)}")
    attributes = _read_attributes(file)
    rows = math.ceil(attributes.num_frames / attributes.hop)
    pts = file.values("pts", "<i8", (attributes.num_frames,))
    valid = file.values("valid", "|b1", (rows,))
    hashes = file.values("segment_sha256", "|u1", (len(Segments(rows, attributes.segment_rows)), 32))
    features = file.dataset("features", "<f2", 4)
    offset, shape = features.id.get_offset(), features.shape
    require(
        shape[0] == rows, f"it has {counted(shape[0], 'row')} for {counted(attributes.num_frames, 'frame')}"
    )
    # The rows are mapped at this offset and with this shape, past HDF5: both must fit the file.
    require(offset == file.covered, "its rows do not begin where its header ends")
    require(offset + 2 * math.prod(shape) + TRAILER_BYTES == num_bytes, "its size does not match its rows")
    return CacheHeader(
        attributes=attributes,
        offset=offset,
        shape=shape,
        pts=pts,
        valid=valid,
        segment_sha256=tuple(row.tobytes().hex() for row in hashes),
        identity=file.identity,
    )


def _read_attributes(file: GuardedFile) -> CacheAttributes:
    values: dict[str, Any] = {
        name: file.number(name) if kind == "int" else file.text(name)
        for name, kind in CacheAttributes.__annotations__.items()
        if name not in OPTIONAL or file.has(name)
    }
    attributes = CacheAttributes(**values)
    require(attributes.format == FORMAT, f"its format is {attributes.format!r}; expected {FORMAT!r}")
    require(attributes.complete == 1, "it is not complete")
    require(min(attributes.hop, attributes.num_frames, attributes.segment_rows) > 0, "no rows")
    parse_rate(attributes.clock)
    return attributes
