"""The cache file as it is written: a header that HDF5 builds in memory, then the rows of every part.

HDF5 itself never writes to the disk, where a full one would crash it at the end of the process.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Int64, UInt8

from bas.extract.header import Facts, trailer
from bas.files import publish, write_at


def write_cache(
    path: Path,
    facts: Facts,
    *,
    row_shape: tuple[int, int, int],
    pts: Int64[np.ndarray, "ticks"],
    valid: Bool[np.ndarray, "rows"],
    segment_sha256: tuple[str, ...],
    segments: Iterator[Float16[np.ndarray, "_ channels height width"]],
) -> None:
    """Publish a whole cache file; the same arguments give the same bytes.

    Args:
        path: of the file; an older one is replaced.
        facts: its attributes.
        row_shape: of one row.
        pts: presentation time of the picture at each tick.
        valid: whether each row holds sound pictures alone.
        segment_sha256: hash of the rows of each segment, in hex.
        segments: rows of each segment in turn, read as they are written.

    Raises:
        OutputError: the disk is full or failed; an older file is untouched.
    """
    shape = (len(valid), *row_shape)
    hashes = np.array([list(bytes.fromhex(text)) for text in segment_sha256], np.uint8)
    header = _header(facts, shape=shape, pts=pts, valid=valid, hashes=hashes)
    end = trailer(header)
    size = len(header) + 2 * int(np.prod(shape)) + len(end)

    def fill(descriptor: int) -> None:
        write_at(descriptor, header, 0)
        offset = len(header)
        for rows in segments:
            write_at(descriptor, np.ascontiguousarray(rows).data, offset)
            offset += rows.nbytes
        write_at(descriptor, end, offset)
        assert offset + len(end) == size, (offset, len(end), size)

    publish(path, fill, size=size)


def _header(
    facts: Facts,
    *,
    shape: tuple[int, ...],
    pts: Int64[np.ndarray, "ticks"],
    valid: Bool[np.ndarray, "rows"],
    hashes: UInt8[np.ndarray, "segments 32"],
) -> bytes:
    """All bytes of an HDF5 file before its rows, which come last."""
    import h5py

    image = _SparseFile()
    with h5py.File(image, "w", libver=("earliest", "v110")) as file:
        for name, value in asdict(facts).items():
            file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else np.int64(value)
        for name, values in (("pts", pts), ("valid", valid), ("segment_sha256", hashes)):
            file.create_dataset(name, data=values, track_times=False)
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.CONTIGUOUS)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        layout.set_obj_track_times(False)
        space = h5py.h5s.create_simple(shape)
        features = h5py.h5d.create(file.id, b"features", h5py.h5t.IEEE_F16LE, space, layout)
        offset = features.get_offset()
    assert image.size == offset + 2 * int(np.prod(shape)), (image.size, offset, shape)
    return image.head(offset)


class _SparseFile(io.RawIOBase):
    """A file in memory that keeps what is written, and only knows how long the rest would be."""

    def __init__(self) -> None:
        self.size = 0
        self._place = 0
        self._head = bytearray()

    def head(self, length: int) -> bytes:
        """The first bytes; nothing may have been written after them."""
        assert len(self._head) <= length, (len(self._head), length)
        return bytes(self._head).ljust(length, b"\0")

    def write(self, content: Any) -> int:
        piece = memoryview(content).cast("B")
        end = self._place + len(piece)
        self._head.extend(bytes(max(0, end - len(self._head))))
        self._head[self._place : end] = piece
        self._place, self.size = end, max(self.size, end)
        return len(piece)

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        stop = min(self._place + len(target), self.size)
        found = bytes(self._head[self._place : stop]).ljust(max(0, stop - self._place), b"\0")
        target[: len(found)] = found
        self._place += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def truncate(self, size: int | None = None) -> int:
        self.size = self._place if size is None else size
        del self._head[self.size :]
        return self.size

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
