"""Description of one video's extraction: input, settings, encoder and output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bas.config.base import Decoder, Precision
from bas.config.pipeline import ExtractSettings
from bas.extract.cache.fingerprint import Fingerprint
from bas.extract.encode.encoder import FrozenEncoder
from bas.signals import StopFlag


@dataclass(frozen=True, slots=True)
class VideoTask:
    """Input, settings and output of the extraction of one video."""

    game: str
    video: Path
    target: Path
    settings: ExtractSettings
    fingerprint: Fingerprint
    encoder_for: Callable[[Precision | None], FrozenEncoder]
    """Returns the encoder in a precision; None means the precision of the settings."""
    row_shape: tuple[int, int, int]
    decoder: Decoder
    stop: StopFlag

    @property
    def folder(self) -> Path:
        """Folder of the part files."""
        return self.target.with_suffix(".parts")

    @property
    def lock(self) -> Path:
        """Lock file, held while the parts and the target are written."""
        return self.target.with_suffix(".lock")
