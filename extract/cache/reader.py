"""Reader of cached features: one immutable HDF5 file per video, checked strictly and memory-mapped.

h5py opens the file only for its attributes, and closes it. The rows, uncompressed and contiguous,
are read through a memory map, so that every window is a strided view.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Int64

from bas.clock import milliseconds, span_text
from bas.errors import DataError
from bas.extract.cache.fingerprint import Fingerprint, VideoIdentity
from bas.extract.cache.format import CacheHeader, ends_with_trailer, read_header
from bas.extract.cache.mapping import map_array
from bas.extract.cache.parts import Segments
from bas.files import open_regular, reopens


@dataclass(frozen=True, slots=True)
class DamagedSpan:
    """Rows of a cache whose bytes have changed since they were written."""

    segment: int
    rows: range
    start_ms: int
    stop_ms: int

    def __str__(self) -> str:
        return span_text(self.start_ms, self.stop_ms)


class FeatureCache:
    """Cached feature rows of one video; row i belongs to frame i x hop."""

    def __init__(self, path: Path, header: CacheHeader) -> None:
        self.path = path
        self.header = header
        self._map: np.ndarray[Any, Any] | None = None
        self._mapped_by = 0

    @property
    def features(self) -> Float16[np.ndarray, "rows channels height width"]:
        """All rows, memory-mapped read-only; each process has its own map.

        Raises:
            DataError: the file was replaced after it was opened.
        """
        if self._map is None or self._mapped_by != os.getpid():
            self._map, self._mapped_by = _mapped(self.path, self.header), os.getpid()
        return self._map

    @property
    def valid(self) -> Bool[np.ndarray, "rows"]:
        """False for rows that hold a missing or damaged picture."""
        return self.header.valid

    @property
    def pts(self) -> Int64[np.ndarray, "frames"]:
        """Presentation time of the picture at each frame."""
        return self.header.pts

    @property
    def identity(self) -> str:
        """SHA-256 of the header, in hex, which includes the hashes of the rows: equal for equal files."""
        return self.header.identity

    @property
    def fingerprint(self) -> str:
        """Canonical JSON of the fingerprint of the rows."""
        return self.header.attributes.fingerprint

    @property
    def video(self) -> VideoIdentity:
        """Identity of the video from which the rows were computed."""
        attributes = self.header.attributes
        return VideoIdentity(
            attributes.video_bytes, attributes.video_sha256, attributes.turned, attributes.video_sample
        )

    @property
    def hop(self) -> int:
        """Frames from one row to the next."""
        return self.header.attributes.hop

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.header.attributes.clock)

    @property
    def row_rate(self) -> Fraction:
        """Rows per second."""
        return self.rate / self.hop

    @property
    def num_frames(self) -> int:
        """Number of frames of the video."""
        return self.header.attributes.num_frames

    @property
    def segments(self) -> Segments:
        """Division of the rows into segments with one hash each."""
        return Segments(len(self), self.header.attributes.segment_rows)

    def __len__(self) -> int:
        return self.header.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_map": None}


@reopens
def _mapped(path: Path, header: CacheHeader) -> Float16[np.ndarray, "rows channels height width"]:
    with open_regular(path) as stream:
        if not ends_with_trailer(stream, header):
            raise DataError(
                f"{path} was replaced while it was in use. Run the same command again to read the new file."
            )
        return map_array(stream.fileno(), "<f2", header.offset, header.shape)


def open_cache(path: str | Path, *, fingerprint: Fingerprint | None = None) -> FeatureCache:
    """Open a cache file and check everything except the bytes of its rows, which `verify` checks.

    Args:
        path: .h5 file written by `bas extract`.
        fingerprint: fingerprint that the rows must have; None accepts any.

    Raises:
        MissingError: the file does not exist.
        DataError: the file is damaged, not a cache, or has another fingerprint.
    """
    path = Path(path)
    cache = FeatureCache(path, read_header(path))
    if fingerprint is not None and cache.fingerprint != fingerprint.json:
        raise DataError(
            f"{path} was extracted with other settings than those of this run.\n"
            f"  found    {cache.fingerprint}\n  expected {fingerprint.json}\n"
            "Run `bas extract` with the settings of this run."
        )
    return cache


@reopens
def verify(path: Path) -> tuple[DamagedSpan, ...]:
    """Read a whole cache file and return the segments whose rows are damaged.

    Raises:
        MissingError, DataError: as for `open_cache`.
    """
    cache = open_cache(path)
    row_bytes = 2 * math.prod(cache.header.shape[1:])
    spans = []
    with path.open("rb") as stream:  # the memory map would count the whole file as memory of this process
        stream.seek(cache.header.offset)
        for number, expected in enumerate(cache.header.segment_sha256):
            rows = cache.segments.rows(number)
            if hashlib.sha256(stream.read(row_bytes * len(rows))).hexdigest() != expected:
                start, stop = (milliseconds(row / cache.row_rate) for row in (rows.start, rows.stop))
                spans.append(DamagedSpan(number, rows, start, stop))
    return tuple(spans)
