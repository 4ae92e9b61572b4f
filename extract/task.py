"""One video to extract: where it lies, how its rows are made, where they go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bas.config.settings import ExtractSettings
from bas.extract.decode import Decoder
from bas.extract.encoder import FrozenEncoder
from bas.extract.fingerprint import Fingerprint
from bas.extract.precision import Precision
from bas.signals import StopFlag


@dataclass(frozen=True, slots=True)
class VideoTask:
    """All that the extraction of one video needs to know."""

    game: str
    video: Path
    target: Path
    settings: ExtractSettings
    fingerprint: Fingerprint
    encoder: Callable[[Precision | None], FrozenEncoder]
    """The encoder in a precision; None for the one that the settings ask for."""
    row_shape: tuple[int, int, int]
    decoder: Decoder
    stop: StopFlag

    @property
    def folder(self) -> Path:
        """Of the part files."""
        return self.target.with_suffix(".parts")

    @property
    def lock(self) -> Path:
        """Held while the parts and the target are written."""
        return self.target.with_suffix(".lock")
