"""Identity of a video: its size and the SHA-256 of all its bytes, regardless of path and age."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from bas.errors import MissingError
from bas.files import sha256_of


@dataclass(frozen=True, slots=True)
class VideoIdentity:
    """Identity of a video, independent of where its file lies and when it was written."""

    bytes: int
    sha256: str


def identify_in_background(path: Path) -> Callable[[], VideoIdentity]:
    """Start hashing a video; the returned function waits for its identity.

    Raises:
        MissingError: (from the returned function) the file is missing or unreadable.
    """
    future: Future[VideoIdentity] = Future()

    def work() -> None:
        try:
            future.set_result(VideoIdentity(path.stat().st_size, sha256_of(path)))
        except OSError as error:
            future.set_exception(
                MissingError(f"{path} cannot be read: {error.strerror}. Check the path and its permissions.")
            )

    threading.Thread(target=work, name="bas-hash", daemon=True).start()
    return future.result
