"""Where commands find data and leave results, and what they compute on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bas.config.base import Decoder


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folders, device and decoder of a command."""

    data: Path
    features: Path
    runs: Path
    device: str
    decoder: Decoder
