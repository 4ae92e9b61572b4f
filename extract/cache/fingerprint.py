"""Fingerprint of all that determines the bytes of a cached row, and the cache folder named after it.

Not included: the video (checked by its own identity), the decoder and the compute precision.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from bas.config.extract import ExtractSettings
from bas.dataset.names import NamesOnDisk
from bas.dataset.video.display import read_display
from bas.errors import BasError, MissingError
from bas.files import sample_of, sha256_of
from bas.types import Game, Video

_AS_DECODED = "as decoded, / 255"
_NORMALIZED = "as decoded, / 255, less the encoder's mean, / its standard deviation"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Everything that two runs must share for their rows to be interchangeable.

    Field names, values and defaults are a format on disk: any change makes all existing caches stale.
    """

    clock: str
    """Frames per second, an exact fraction."""
    encoder: str
    weights: str
    """SHA-256 of the encoder's tensors, in hex; it does not depend on the layout of their file."""
    stack: tuple[int, int, int]
    hop: int
    size: tuple[int, int]
    """Rows and columns of a picture before padding."""
    flip: bool
    grid: tuple[int, int]
    origin: Literal["first picture", "container's zero"]
    """Which time frame 0 has."""
    resize: str = "bilinear, antialiased, rounded to 8 bits"
    padding: str = "zeros, even, to multiples of 32"
    luma: str = _AS_DECODED
    dtype: str = "<f2"
    format: int = 1

    @property
    def json(self) -> str:
        """Canonical JSON: sorted keys, no whitespace."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @property
    def key(self) -> str:
        """Name of the folder with all caches of this fingerprint."""
        encoder = re.sub(r"[^\w.-]", "_", self.encoder)
        grid_rows, grid_columns = self.grid
        digits = hashlib.sha256(self.json.encode()).hexdigest()[:8]
        return f"{encoder}-{grid_rows}x{grid_columns}-hop{self.hop}-{digits}"


def fingerprint_of(settings: ExtractSettings, *, weights: str) -> Fingerprint:
    """Return the fingerprint of rows with these settings and the SHA-256 of the encoder's weights."""
    return Fingerprint(
        clock=settings.clock,
        encoder=settings.encoder,
        weights=weights,
        stack=settings.stack,
        hop=settings.hop,
        size=(settings.height, settings.width),
        flip=settings.flip,
        grid=settings.grid,
        origin="container's zero" if settings.time_origin == "zero" else "first picture",
        luma=_NORMALIZED if settings.normalize else _AS_DECODED,
    )


def cache_path(features: Path, fingerprint: Fingerprint, game: Game, video: Video) -> Path:
    """Return the path of one video's cache file, which may be older than the composing of accents in game ids."""
    path = features / fingerprint.key / game.id / f"{video.path.stem}.h5"
    return NamesOnDisk().find(path, below=features)


@dataclass(frozen=True, slots=True)
class VideoIdentity:
    """Identity of a video, independent of where its file lies and when it was written."""

    bytes: int
    sha256: str
    turned: str = ""
    """How players turn its pictures, as `Orientation.text` says it."""
    sample: str = field(default="", compare=False)
    """SHA-256 of some of its blocks, by which commands that do not read all of it notice another video."""


def identify_in_background(path: Path) -> Callable[[], VideoIdentity]:
    """Start hashing a video; the returned function waits for its identity.

    Raises:
        MissingError, DataError: (from the returned function) the file is missing, unreadable, or not a video.
    """
    future: Future[VideoIdentity] = Future()

    def work() -> None:
        try:
            turned = read_display(path).orientation.text
            future.set_result(VideoIdentity(path.stat().st_size, sha256_of(path), turned, sample_of(path)))
        except OSError as error:
            future.set_exception(
                MissingError(f"{path} cannot be read: {error.strerror}. Check the path and its permissions.")
            )
        except BasError as error:  # it is no video
            future.set_exception(error)

    threading.Thread(target=work, name="bas-hash", daemon=True).start()
    return future.result
