"""Writer of cache files: a header that HDF5 builds in memory, then the rows of every part.

HDF5 itself never writes to the disk: a full disk would crash it at the end of the process.
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

from bas.extract.cache.format import OPTIONAL, CacheAttributes
from bas.files import publish, write_at
from bas.guarded.hdf5 import trailer


def write_cache(
    path: Path,
    attributes: CacheAttributes,
    *,
    row_shape: tuple[int, int, int],
    pts: Int64[np.ndarray, "frames"],
    valid: Bool[np.ndarray, "rows"],
    segment_sha256: tuple[str, ...],
    segments: Iterator[Float16[np.ndarray, "_ channels height width"]],
) -> None:
    """Publish a complete cache file; equal arguments give equal bytes.

    Args:
        path: path of the file; an older one is replaced.
        attributes: HDF5 attributes of the file.
        row_shape: shape of one row: (channels, height, width).
        pts: presentation time of the picture at each frame.
        valid: whether all pictures of each row are valid.
        segment_sha256: SHA-256 of each segment's rows, in hex.
        segments: rows of each segment in order, consumed one at a time.

    Raises:
        OutputError: the disk is full or failed; an older file is left unchanged.
    """
    shape = (len(valid), *row_shape)
    hashes = np.array([list(bytes.fromhex(text)) for text in segment_sha256], np.uint8)
    header = _header_bytes(attributes, shape=shape, pts=pts, valid=valid, hashes=hashes)
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


def _header_bytes(
    attributes: CacheAttributes,
    *,
    shape: tuple[int, ...],
    pts: Int64[np.ndarray, "frames"],
    valid: Bool[np.ndarray, "rows"],
    hashes: UInt8[np.ndarray, "segments 32"],
) -> bytes:
    """Return all bytes of an HDF5 file before its rows, which come last."""
    import h5py

    image = _SparseFile()
    with h5py.File(image, "w", libver=("earliest", "v110")) as file:
        for name, value in asdict(attributes).items():
            if name in OPTIONAL and not value:
                continue
            file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else np.int64(value)
        # HDF5 records times of change by default, and equal rows would no longer give equal files.
        for name, values in (("pts", pts), ("valid", valid), ("segment_sha256", hashes)):
            file.create_dataset(name, data=values, track_times=False)
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        # Space for the rows is reserved now, so that they get their offset, but never filled.
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
    """File in memory that stores the bytes written and only the length of the rest."""

    def __init__(self) -> None:
        self.size = 0
        self._position = 0
        self._head = bytearray()

    def head(self, length: int) -> bytes:
        """Return the first bytes; nothing may have been written after them."""
        assert len(self._head) <= length, (len(self._head), length)
        return bytes(self._head).ljust(length, b"\0")

    def write(self, content: Any) -> int:
        piece = memoryview(content).cast("B")
        end = self._position + len(piece)
        self._head.extend(bytes(max(0, end - len(self._head))))
        self._head[self._position : end] = piece
        self._position, self.size = end, max(self.size, end)
        return len(piece)

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        # Bytes that were reserved but never written read as zeros, as in a sparse file on disk.
        stop = min(self._position + len(target), self.size)
        found = bytes(self._head[self._position : stop]).ljust(max(0, stop - self._position), b"\0")
        target[: len(found)] = found
        self._position += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self.size = self._position if size is None else size
        del self._head[self.size :]
        return self.size

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
