"""manifest.json of a data folder: expected size and SHA-256 of each file.

Only the manifest can reveal a truncated transport stream, because such a file does not declare its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bas.dataset.names import NamesOnDisk, composed
from bas.errors import DataError
from bas.files import read_json, sha256_of, write_json
from bas.messages import listing
from bas.types import Game

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Expected size and hash of a file."""

    bytes: int
    sha256: str


def write_manifest(root: Path, paths: Iterable[Path]) -> None:
    """Write the manifest of a data folder from the current files, sorted by name."""
    _write(
        root,
        {
            path.relative_to(root).as_posix(): FileRecord(path.stat().st_size, sha256_of(path))
            for path in paths
        },
    )


def add_to_manifest(root: Path, entries: Mapping[str, FileRecord]) -> None:
    """Add files with known hashes to the manifest of a data folder."""
    _write(root, read_manifest(root) | dict(entries))


def read_manifest(root: Path) -> dict[str, FileRecord]:
    """Read the manifest of a data folder as records by relative path in composed letters; empty if there is none.

    Raises:
        DataError: it is invalid, or names a file outside the folder.
    """
    path = root / MANIFEST_NAME
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(
            f'Invalid manifest {path}. Expected {{"relative path": {{"bytes": ..., "sha256": "..."}}}}.'
        )
    return {composed(name): _entry(path, name, value) for name, value in content.items()}


def missing_files(root: Path, manifest: Mapping[str, FileRecord]) -> list[str]:
    """Names in the manifest for which the data folder has no file."""
    names = NamesOnDisk()
    return [name for name in manifest if not names.find(root / name, below=root).is_file()]


def require_sizes(root: Path, games: Iterable[Game]) -> None:
    """Check the file sizes of some games against the manifest; files that it does not list are not checked.

    Raises:
        DataError: lists every file that differs.
    """
    manifest = read_manifest(root)
    if not manifest:
        return
    paths = [path for game in games for path in files_of(game)]
    differing = [text for path in paths if (text := difference(root, path, manifest, hashes=False))]
    if differing:
        raise DataError(
            f"Files that differ from {root / MANIFEST_NAME} ({len(differing)}): {listing(differing)}. Copy or download them again. "
            "If you changed one on purpose, remove its entry from the manifest."
        )


def difference(root: Path, path: Path, manifest: Mapping[str, FileRecord], *, hashes: bool) -> str:
    """Describe how a file differs from the manifest; empty if it does not, or is not listed.

    Args:
        root: data folder.
        path: file in it.
        manifest: of the folder.
        hashes: compare hashes too, which reads the whole file.
    """
    entry = manifest.get(composed(path.relative_to(root).as_posix()))
    if entry is None:
        return ""
    size = path.stat().st_size
    if size != entry.bytes:
        return f"{path} has {size:,} bytes instead of the {entry.bytes:,} bytes in the manifest"
    if hashes and sha256_of(path) != entry.sha256:
        return f"{path} has the size, but not the SHA-256 in the manifest"
    return ""


def files_of(game: Game) -> list[Path]:
    """Existing videos and labels of a game."""
    paths = [video.path for video in game.videos] + ([game.labels] if game.labels else [])
    return [path for path in paths if path.is_file()]


def _write(root: Path, entries: Mapping[str, FileRecord]) -> None:
    write_json(root / MANIFEST_NAME, {name: asdict(entry) for name, entry in sorted(entries.items())})


def _entry(path: Path, name: str, value: Any) -> FileRecord:
    inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
    match value:
        case {"bytes": int(size), "sha256": str(digest)} if inside and len(value) == 2 and len(digest) == 64:
            return FileRecord(size, digest)
        case _:
            raise DataError(
                f"{path}: invalid entry {name!r}. Expected the relative path of a file with its bytes and sha256. "
                "Restore the manifest from its source, or remove it."
            )
