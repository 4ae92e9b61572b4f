"""Which video it is: its size and the SHA-256 of all its bytes; not its path, nor its age."""

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
    """Which video it is, wherever the file lies and whenever it was written."""

    bytes: int
    sha256: str


def identify_in_background(path: Path) -> Callable[[], VideoIdentity]:
    """Begin to hash a video; call the result to wait for its identity.

    Raises:
        MissingError: (from that call) there is no such file.
    """
    future: Future[VideoIdentity] = Future()

    def work() -> None:
        try:
            future.set_result(VideoIdentity(path.stat().st_size, sha256_of(path)))
        except OSError as error:
            future.set_exception(
                MissingError(f"{path} cannot be read: {error.strerror}. Give yourself access to it.")
            )

    threading.Thread(target=work, name="bas-hash", daemon=True).start()
    return future.result
