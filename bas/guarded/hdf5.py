"""Guarded reading of HDF5 files, which may be damaged or made to do harm.

h5py and HDF5 trust what they read: a flipped bit can hang HDF5 for ever, and a hostile file can make it read
other files. So the last bytes of a file hold the length and the SHA-256 of all that HDF5 parses, and they are
checked first. But anyone can compute a hash: a link is checked before it is followed, and the type, place and
size of an attribute or dataset before any of its bytes are read.

    offset 0             length                            end - 48            end
    | HDF5, covered by   | rows of a cache, which have     | trailer: magic,   |
    | the trailer's hash | hashes of their own; or nothing | length, SHA-256   |
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bas.errors import DataError, is_out_of_memory
from bas.files import open_regular
from bas.messages import counted

_TRAILER = struct.Struct("<8sQ32s")
TRAILER_BYTES = _TRAILER.size
_MAGIC = b"bas rows"
_MAX_ATTRIBUTE_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20
_OF_THE_MACHINE = {
    errno.EIO,
    errno.ESTALE,
    errno.ENOSPC,
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
}
"""Codes of errors that say nothing about the file itself."""


class GuardedFile:
    """An open HDF5 file. Every method raises ValueError where the file is not as required."""

    def __init__(self, file: Any, *, covered: int, identity: str) -> None:
        self._file = file
        self.covered = covered
        """Bytes that the hash covers; of a file without a trailer, all of them."""
        self.identity = identity
        """SHA-256 of the covered bytes, in hex; empty for a file without a trailer."""

    def names(self) -> set[str]:
        """Names at the root, none of which is a link to elsewhere."""
        import h5py

        names = set(self._file)
        for name in names:
            link = self._file.id.links.get_info(name.encode())
            require(link.type == h5py.h5l.TYPE_HARD, f"/{name} is a link to elsewhere")
        return names

    def dataset(self, name: str, dtype: str, ndim: int) -> Any:
        """A dataset whose bytes lie in one piece in this file, of a name from `names`."""
        import h5py

        found = self._file[name]
        require(isinstance(found, h5py.Dataset), f"/{name} is a {type(found).__name__.lower()}")
        require(
            found.dtype == np.dtype(dtype) and found.ndim == ndim,
            f"/{name} is {found.dtype} of shape {found.shape}; expected {dtype} in {counted(ndim, 'dimension')}",
        )
        require(found.size > 0, f"/{name} is empty")
        # Chunks could run filters; external and virtual datasets read other files. Without an offset nothing
        # was ever stored: HDF5 would invent values for any declared size.
        plain = found.chunks is None and found.external is None and not found.is_virtual
        stored = plain and found.id.get_offset() is not None
        require(
            stored and found.id.get_storage_size() == found.size * found.dtype.itemsize,
            f"/{name} is not stored in one piece in this file",
        )
        return found

    def values(self, name: str, dtype: str, shape: tuple[int, ...]) -> Any:
        """Values of a dataset of this type and shape; a size of -1 stands for any."""
        found = self.dataset(name, dtype, len(shape))
        fits = all(size in (-1, actual) for size, actual in zip(shape, found.shape, strict=True))
        require(fits, f"/{name} has shape {found.shape}; expected {shape}")
        end = found.id.get_offset() + found.id.get_storage_size()
        require(end <= self.covered, f"/{name} ends beyond the bytes that were checked")
        return found[()]

    def number(self, name: str) -> int:
        """An integer attribute of the file."""
        return int(self._attribute(name, "i", of="/", ndim=0)[()])

    def text(self, name: str, *, of: str = "/") -> str:
        """A text attribute of the file or of a dataset."""
        return bytes(self._attribute(name, "S", of=of, ndim=0)[()]).decode()

    def texts(self, name: str, *, of: str) -> tuple[str, ...]:
        """A list of texts as an attribute of a dataset."""
        return tuple(bytes(value).decode() for value in self._attribute(name, "S", of=of, ndim=1))

    def has(self, name: str) -> bool:
        """Whether the file has an attribute of this name."""
        return name in self._file.attrs

    def _attribute(self, name: str, kind: str, *, of: str, ndim: int) -> Any:
        import h5py

        owner = self._file[of]
        # The type alone is read first: a string of variable length would be an address elsewhere in the file.
        found = h5py.h5a.open(owner.id, name.encode())
        require(
            found.dtype.kind == kind and len(found.shape) == ndim,
            f"its attribute {name} is of type {found.dtype}",
        )
        require(found.get_storage_size() <= _MAX_ATTRIBUTE_BYTES, f"its attribute {name} is too long")
        return owner.attrs[name] if ndim else np.asarray(owner.attrs[name])


@contextmanager
def open_guarded(path: Path, *, kind: str, remedy: str, sealed: bool = True) -> Iterator[GuardedFile]:
    """Check an HDF5 file against its trailer, and open it; it is closed at the end of the block.

    Args:
        path: an HDF5 file.
        kind: what the file should be, for the message.
        remedy: sentence that says what to do if it is not.
        sealed: require a trailer; false accepts files that were written without one.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: the disk, or a limit of the system, keeps it from being read.
        DataError: it is damaged, hostile, or of another kind; also for every error of this sort in the block.
    """
    import h5py

    try:
        with open_regular(path) as stream:
            covered, identity = _checked(stream, sealed=sealed)
        with h5py.File(path, "r", locking=False) as file:
            yield GuardedFile(file, covered=covered, identity=identity)
    except FileNotFoundError:
        raise
    # h5py raises all of these on damaged files: the list was found by damaging files at random.
    except (
        OSError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        RuntimeError,
        ArithmeticError,
    ) as error:
        if is_out_of_memory(error) or (isinstance(error, OSError) and error.errno in _OF_THE_MACHINE):
            raise
        raise DataError(f"{path} is not a valid {kind}: {error}. {remedy}") from error


def trailer(covered: bytes) -> bytes:
    """The last bytes of a file that starts with `covered`, all of which HDF5 parses."""
    return pack_trailer(len(covered), hashlib.sha256(covered).digest())


def pack_trailer(length: int, sha256: bytes) -> bytes:
    """The trailer of covered bytes of which length and hash are known."""
    return _TRAILER.pack(_MAGIC, length, sha256)


def require(condition: bool, text: str) -> None:
    """Raise ValueError with `text` unless a condition holds."""
    if not condition:
        raise ValueError(text)


def _checked(stream: BinaryIO, *, sealed: bool) -> tuple[int, str]:
    """Length and SHA-256 of the bytes that HDF5 parses, after checking them against the trailer."""
    size = stream.seek(0, os.SEEK_END)
    require(size >= TRAILER_BYTES, f"it has only {size} bytes")
    stream.seek(-TRAILER_BYTES, os.SEEK_END)
    magic, length, digest = _TRAILER.unpack(stream.read(TRAILER_BYTES))
    if magic != _MAGIC and not sealed:
        return size, ""
    require(magic == _MAGIC and length <= size - TRAILER_BYTES, "it does not end with a valid trailer")
    stream.seek(0)
    found, left = hashlib.sha256(), length
    while left and (block := stream.read(min(left, _BLOCK_BYTES))):
        found.update(block)
        left -= len(block)
    require(found.digest() == digest, "the hash of its header is wrong")
    return int(length), digest.hex()
