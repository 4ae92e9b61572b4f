"""Part files: one finished segment each, with its hash, kept until all segments are finished."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16

from bas.config.base import Precision
from bas.extract.cache.fingerprint import VideoIdentity
from bas.files import publish, write_at

_FORMAT = b"bas part 1"  # hashed first, so that parts of another format fail their hash
_DIGEST_BYTES = 32
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Part:
    """A finished segment without its rows; all fields but the last are JSON keys of its file."""

    fingerprint: str
    video: VideoIdentity
    segment: int
    first_row: int
    shape: tuple[int, int, int, int]
    precision: Precision
    decoder: str
    clamped: int
    """Number of values beyond the range of float16, clamped to it."""
    rows_sha256: str
    valid: Bool[np.ndarray, "rows 3"] = field(compare=False)
    """Whether the picture at each frame of each row is present and undamaged."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Division of a video's rows into segments; the last one may be shorter."""

    num_rows: int
    segment_rows: int

    def __len__(self) -> int:
        return math.ceil(self.num_rows / self.segment_rows)

    def rows(self, number: int) -> range:
        """Rows of one segment."""
        start = number * self.segment_rows
        return range(start, min(start + self.segment_rows, self.num_rows))


def part_path(folder: Path, segment: int) -> Path:
    """Return the path of one segment in the folder of a video's parts."""
    return folder / f"{segment:05d}.part"


def write_part(folder: Path, part: Part, rows: Float16[np.ndarray, "rows channels height width"]) -> None:
    """Publish one segment: SHA-256 of all that follows, length of the header, header in JSON, flags, rows."""
    fields = asdict(part)
    # As in parts that are older than the fields which may be empty.
    fields["video"] = {name: value for name, value in fields["video"].items() if value != ""}
    flags = fields.pop("valid").tobytes()
    header = json.dumps(fields, sort_keys=True).encode()
    pieces: list[bytes | memoryview] = [_LENGTH.pack(len(header)), header, flags, _bytes_of(rows)]
    digest = hashlib.sha256(_FORMAT)
    for piece in pieces:
        digest.update(piece)
    pieces.insert(0, digest.digest())

    def fill(descriptor: int) -> None:
        offset = 0
        for piece in pieces:
            write_at(descriptor, piece, offset)
            offset += len(piece)

    publish(part_path(folder, part.segment), fill, size=sum(map(len, pieces)))


def read_part(
    folder: Path, segment: int
) -> tuple[Part, Float16[np.ndarray, "rows channels height width"]] | None:
    """Read one segment with its rows; None if the file is missing or damaged."""
    try:
        return _parse_part(memoryview(part_path(folder, segment).read_bytes()))
    # All but the first only if somebody gave the file a valid hash.
    except (FileNotFoundError, ValueError, TypeError, LookupError, struct.error):
        return None


def _parse_part(
    content: memoryview,
) -> tuple[Part, Float16[np.ndarray, "rows channels height width"]] | None:
    digest = hashlib.sha256(_FORMAT)
    digest.update(content[_DIGEST_BYTES:])
    if content[:_DIGEST_BYTES] != digest.digest():
        return None
    start = _DIGEST_BYTES + _LENGTH.size
    stop = start + _LENGTH.unpack(content[_DIGEST_BYTES:start])[0]
    fields: dict[str, Any] = json.loads(bytes(content[start:stop]))
    fields["video"], fields["shape"] = VideoIdentity(**fields["video"]), tuple(fields["shape"])
    num_flags = 3 * fields["shape"][0]  # one byte per frame of a stack
    valid = np.frombuffer(content, bool, num_flags, stop).reshape(-1, 3).copy()  # outlives `content`
    rows = np.frombuffer(content, "<f2", offset=stop + num_flags).reshape(fields["shape"])
    return Part(**fields, valid=valid), rows


def hash_rows(rows: Float16[np.ndarray, "rows channels height width"]) -> str:
    """Return the SHA-256 of a segment's rows, in hex."""
    return hashlib.sha256(_bytes_of(rows)).hexdigest()


def _bytes_of(rows: Float16[np.ndarray, "rows channels height width"]) -> memoryview:
    return np.ascontiguousarray(rows).data.cast("B")
