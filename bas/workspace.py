"""Where commands find data and leave results, and what they compute on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bas.config.base import Decoder


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folders, device and decoder of a command."""

    data: Path
    features: Path
    runs: Path
    device: str
    decoder: Decoder


def default_folder(name: Literal["data", "features", "runs"]) -> Path:
    """Folder in $BAS_DATA, $BAS_FEATURES or $BAS_RUNS; without that variable, the one of this name in the working folder."""
    return Path(os.environ.get(f"BAS_{name.upper()}", name))
