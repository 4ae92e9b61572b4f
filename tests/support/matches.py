"""Match folders for tests, with SoccerNet's names and label format. Videos are empty unless a test writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GAME = "england_efl/2019-2020/2019-10-01 - Home Club - Away Club"
OTHER_GAME = "england_efl/2019-2020/2019-10-02 - Third Club - Fourth Club"


def annotation(
    position: Any = 12360, label: Any = "PASS", *, half: int = 1, **changes: Any
) -> dict[str, Any]:
    """Return one entry of a label file; its game time agrees with an integer `position` in milliseconds."""
    seconds = position // 1000 if isinstance(position, int) else 0
    entry = {
        "gameTime": f"{half} - {seconds // 60:02d}:{seconds % 60:02d}",
        "label": label,
        "position": str(position) if isinstance(position, int) else position,
        "team": "left",
        "visibility": "visible",
    }
    return entry | changes


def write_labels(path: Path, annotations: Sequence[Any] = (), *, url: str | None = None) -> Path:
    """Write a label file; `UrlLocal` defaults to its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "UrlLocal": path.parent.as_posix() if url is None else url,
        "UrlYoutube": "",
        "annotations": list(annotations),
    }
    path.write_text(json.dumps(content))
    return path


def touch(folder: Path, *names: str) -> Path:
    """Create empty files in a folder, and the folder itself."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder
