"""Part files: one finished segment each, with its hash, kept until all segments are finished."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import asdict, dataclass
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
class PartHeader:
    """Description of the rows of a part file; the field names are its JSON keys on disk."""

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

    @classmethod
    def parse(cls, content: bytes) -> PartHeader:
        """Parse the JSON of a part file."""
        fields: dict[str, Any] = json.loads(content)
        fields["video"] = VideoIdentity(**fields["video"])
        fields["shape"] = tuple(fields["shape"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class PartSummary:
    """Everything about a finished segment except its rows."""

    header: PartHeader
    valid: Bool[np.ndarray, "rows 3"]
    """Whether the picture at each frame of each row is present and undamaged."""


@dataclass(frozen=True, slots=True)
class Part:
    """One finished segment."""

    summary: PartSummary
    rows: Float16[np.ndarray, "rows channels height width"]


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


def write_part(folder: Path, part: Part) -> None:
    """Publish one segment: SHA-256 of all that follows, length of the header, header in JSON, flags, rows."""
    header = json.dumps(asdict(part.summary.header), sort_keys=True).encode()
    pieces: list[bytes | memoryview] = [
        _LENGTH.pack(len(header)),
        header,
        part.summary.valid.tobytes(),
        _bytes_of(part.rows),
    ]
    digest = hashlib.sha256(_FORMAT)
    for piece in pieces:
        digest.update(piece)
    pieces.insert(0, digest.digest())

    def fill(descriptor: int) -> None:
        offset = 0
        for piece in pieces:
            write_at(descriptor, piece, offset)
            offset += len(piece)

    publish(part_path(folder, part.summary.header.segment), fill, size=sum(map(len, pieces)))


def read_part(folder: Path, segment: int) -> Part | None:
    """Read one segment; None if the file is missing or damaged."""
    try:
        content = memoryview(part_path(folder, segment).read_bytes())
    except FileNotFoundError:
        return None
    digest = hashlib.sha256(_FORMAT)
    digest.update(content[_DIGEST_BYTES:])
    if content[:_DIGEST_BYTES] != digest.digest():
        return None
    start = _DIGEST_BYTES + _LENGTH.size
    stop = start + _LENGTH.unpack(content[_DIGEST_BYTES:start])[0]
    header = PartHeader.parse(bytes(content[start:stop]))
    num_flags = 3 * header.shape[0]
    valid = np.frombuffer(content, bool, num_flags, stop).reshape(-1, 3).copy()  # outlives `content`
    rows = np.frombuffer(content, "<f2", offset=stop + num_flags).reshape(header.shape)
    return Part(PartSummary(header, valid), rows)


def hash_rows(rows: Float16[np.ndarray, "rows channels height width"]) -> str:
    """Return the SHA-256 of a segment's rows, in hex."""
    return hashlib.sha256(_bytes_of(rows)).hexdigest()


def _bytes_of(rows: Float16[np.ndarray, "rows channels height width"]) -> memoryview:
    return np.ascontiguousarray(rows).data.cast("B")
