"""manifest.json in a data folder: the bytes and SHA-256 that each of its files should have.

It is the only witness of a transport stream that was cut, for such a file claims no length.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bas.dataset.games import listing
from bas.errors import DataError
from bas.files import read_json, sha256_of, write_json
from bas.types import Game

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one file should be."""

    bytes: int
    sha256: str


def write_manifest(root: Path, paths: Iterable[Path]) -> None:
    """Record the files of a data folder as they are now, in order of their names."""
    entries = {path.relative_to(root).as_posix(): path for path in paths}
    write_json(
        root / MANIFEST_NAME,
        {name: asdict(Entry(path.stat().st_size, sha256_of(path))) for name, path in sorted(entries.items())},
    )


def add_to_manifest(root: Path, entries: Mapping[str, Entry]) -> None:
    """Record more files of a data folder, hashed already."""
    merged = read_manifest(root) | dict(entries)
    write_json(root / MANIFEST_NAME, {name: asdict(entry) for name, entry in sorted(merged.items())})


def read_manifest(root: Path) -> dict[str, Entry]:
    """The entries of a data folder's manifest by relative path; none where there is no manifest.

    Raises:
        DataError: it is damaged, or names a file outside the folder.
    """
    path = root / MANIFEST_NAME
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f'{path} is not of the form {{"relative path": {{"bytes": ..., "sha256": "..."}}}}.')
    return {name: _entry(path, name, value) for name, value in content.items()}


def require_sizes(root: Path, games: Iterable[Game]) -> None:
    """Refuse files of these games whose size is not the manifest's; files it does not name pass.

    Raises:
        DataError: with every file that differs.
    """
    manifest = read_manifest(root)
    if not manifest:
        return
    paths = [path for game in games for path in files_of(game)]
    wrong = [text for path in paths if (text := difference(root, path, manifest, hashes=False))]
    if wrong:
        raise DataError(
            f"Files that differ from {root / MANIFEST_NAME} ({len(wrong)}): {listing(wrong)}. Copy or download them "
            "again; where you changed one on purpose, remove its entry from the manifest."
        )


def difference(root: Path, path: Path, manifest: Mapping[str, Entry], *, hashes: bool) -> str:
    """How a file differs from its entry; empty if it does not, or has none. Hashes read all of it."""
    entry = manifest.get(path.relative_to(root).as_posix())
    if entry is None:
        return ""
    size = path.stat().st_size
    if size != entry.bytes:
        return f"{path} has {size:,} bytes instead of {entry.bytes:,}"
    if hashes and sha256_of(path) != entry.sha256:
        return f"{path} has the right size but another SHA-256"
    return ""


def files_of(game: Game) -> list[Path]:
    """Videos and labels of a game that are there."""
    paths = [video.path for video in game.videos] + ([game.labels] if game.labels else [])
    return [path for path in paths if path.is_file()]


def _entry(path: Path, name: str, value: Any) -> Entry:
    inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
    match value:
        case {"bytes": int(size), "sha256": str(digest)} if inside and len(value) == 2 and len(digest) == 64:
            return Entry(size, digest)
        case _:
            raise DataError(
                f"{path}: the entry {name!r} is not a file of this folder with its bytes and sha256. "
                "Restore the manifest from its source, or remove it."
            )
