"""Memory maps that hold no file descriptor.

Python's `mmap` module keeps a copy of the descriptor for as long as the map lives, and NumPy's maps do
so through it. A training set maps every video at once: 1,000 halves of SoccerNet-v2, and as many again
of the mirrored view. The usual limit of a process is 1,024 open files; of maps it may have 65,530.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import weakref

import numpy as np
from jaxtyping import Shaped

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64,
)  # fmt: skip
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_FAILED = ctypes.c_void_p(-1).value


def map_array(descriptor: int, dtype: str, offset: int, shape: tuple[int, ...]) -> Shaped[np.ndarray, "..."]:
    """Array over the bytes of an open file, read-only. The file may be closed; it must never shrink.

    Args:
        descriptor: the open file, which must be long enough.
        dtype: type of the values.
        offset: offset of the first value, in bytes.
        shape: shape of the array.

    Raises:
        OSError: the system refuses to map the file.
    """
    count = math.prod(shape)
    length = offset + count * np.dtype(dtype).itemsize
    # From the start of the file: a map must begin at a page.
    address = _libc.mmap(None, length, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address == _FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    block = (ctypes.c_char * length).from_address(address)
    # Every view of the array keeps the block alive. At exit the system unmaps it, when no thread reads it any more.
    weakref.finalize(block, _libc.munmap, address, length).atexit = False
    array: Shaped[np.ndarray, "..."] = np.frombuffer(memoryview(block), dtype, count, offset).reshape(shape)
    array.flags.writeable = False
    return array
