"""The cache as it is read: one immutable HDF5 file a video, checked hard and mapped into memory.

h5py opens the file for its attributes only and closes it; the rows, uncompressed and contiguous,
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
from bas.extract.fingerprint import Fingerprint
from bas.extract.header import Header, read_header
from bas.extract.identity import VideoIdentity
from bas.extract.parts import Segments


@dataclass(frozen=True, slots=True)
class DamagedSpan:
    """Rows of a cache whose bytes are not those that were written."""

    segment: int
    rows: range
    start_ms: int
    stop_ms: int

    def __str__(self) -> str:
        return span_text(self.start_ms, self.stop_ms)


class FeatureCache:
    """The cached rows of one video; row i belongs to tick i x hop."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header
        self._map: np.memmap[Any, Any] | None = None
        self._mapped_by = 0

    @property
    def features(self) -> Float16[np.ndarray, "rows channels height width"]:
        """All rows, mapped read-only; each process maps them for itself."""
        if self._map is None or self._mapped_by != os.getpid():
            self._map = np.memmap(self.path, "<f2", "r", self.header.offset, self.header.shape)
            self._mapped_by = os.getpid()
        return self._map

    @property
    def valid(self) -> Bool[np.ndarray, "rows"]:
        """False for rows that hold a missing or damaged picture."""
        return self.header.valid

    @property
    def pts(self) -> Int64[np.ndarray, "ticks"]:
        """Presentation time of the picture at each tick."""
        return self.header.pts

    @property
    def identity(self) -> str:
        """SHA-256, in hex, of all but the rows, their own hashes included: equal for equal files."""
        return self.header.identity

    @property
    def fingerprint(self) -> str:
        """Canonical JSON of what determined the rows."""
        return self.header.facts.fingerprint

    @property
    def video(self) -> VideoIdentity:
        """The video that the rows are of."""
        return VideoIdentity(self.header.facts.video_bytes, self.header.facts.video_sha256)

    @property
    def hop(self) -> int:
        """Ticks from one row to the next."""
        return self.header.facts.hop

    @property
    def rate(self) -> Fraction:
        """Ticks a second."""
        return Fraction(self.header.facts.clock)

    @property
    def row_rate(self) -> Fraction:
        """Rows a second."""
        return self.rate / self.hop

    @property
    def num_frames(self) -> int:
        """Ticks of the video."""
        return self.header.facts.num_frames

    @property
    def segments(self) -> Segments:
        """Pieces of rows that have a hash each."""
        return Segments(len(self), self.header.facts.segment_rows)

    def __len__(self) -> int:
        return self.header.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_map": None}


def open_cache(path: Path, *, fingerprint: Fingerprint | None = None) -> FeatureCache:
    """Open a cache file and check all of it but the bytes of its rows, which `verify` checks.

    Args:
        path: an .h5 file that `bas extract` made.
        fingerprint: that the rows must have; None takes any.

    Raises:
        MissingError: there is no such file.
        DataError: it is damaged, no cache, or of another fingerprint.
    """
    cache = FeatureCache(path, read_header(path))
    if fingerprint is not None and cache.fingerprint != fingerprint.json:
        raise DataError(
            f"{path} holds other features than this run wants.\n  found  {cache.fingerprint}\n"
            f"  wanted {fingerprint.json}\nRun `bas extract` with the settings of this run."
        )
    return cache


def verify(path: Path) -> tuple[DamagedSpan, ...]:
    """Read a whole cache file and name the segments whose rows are damaged.

    Raises:
        MissingError, DataError: as `open_cache`.
    """
    cache = open_cache(path)
    row_bytes = 2 * math.prod(cache.header.shape[1:])
    spans = []
    with path.open("rb") as stream:  # not through the map, which would fill the memory with the file
        stream.seek(cache.header.offset)
        for number, wanted in enumerate(cache.header.segment_sha256):
            rows = cache.segments.rows(number)
            if hashlib.sha256(stream.read(row_bytes * len(rows))).hexdigest() != wanted:
                start, stop = (milliseconds(row / cache.row_rate) for row in (rows.start, rows.stop))
                spans.append(DamagedSpan(number, rows, start, stop))
    return tuple(spans)
