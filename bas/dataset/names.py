"""Names of files and games, the same in every Unicode normalization.

Archives made on a Mac leave decomposed names (NFD), in which é is an e and an accent; most other programs write
composed ones (NFC). The two look alike, but are different names to a file system and to a comparison.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path


def composed(name: str) -> str:
    """The name in the normalization in which bas compares names."""
    return unicodedata.normalize("NFC", name)


class NamesOnDisk:
    """Finds files whose names are written in another normalization; lists each folder at most once."""

    def __init__(self) -> None:
        self._entries: dict[Path, dict[str, Path]] = {}

    def find(self, path: Path, *, below: Path) -> Path:
        """The existing path that equals `path` but for normalization; `path` itself if there is none.

        Args:
            path: path to find, inside `below`.
            below: existing folder.
        """
        if path.as_posix().isascii() or path.exists():
            return path
        found = below
        for part in path.relative_to(below).parts:
            found = self._entry(found, part)
        return found if found.exists() else path

    def _entry(self, folder: Path, name: str) -> Path:
        if name.isascii() or (folder / name).exists():
            return folder / name
        if folder not in self._entries:
            there = folder.iterdir() if folder.is_dir() else ()
            self._entries[folder] = {composed(entry.name): entry for entry in there}
        return self._entries[folder].get(composed(name), folder / name)
