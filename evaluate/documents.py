"""JSON documents by game: from a folder, a zip archive, or one file; nothing is ever unpacked to the disk."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bas.errors import DataError, MissingError

LIMIT_BYTES = 64 << 20
"""Of one document, as of any JSON document that bas reads."""

_LIMIT_MEMBERS = 100_000
_LIMIT_ALL_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of one file, and how messages name it."""

    source: str
    content: bytes


def gather(path: Path, *names: str) -> dict[str, Document]:
    """Documents of one file name by game: the first of `names` that is found anywhere below `path`.

    A game is named by its folder relative to `path`, with forward slashes; a document that stands
    at the very top is named by `path` itself.

    Args:
        path: a folder, a zip archive, or a single document of any name.
        names: file names, the preferred one first; `*.json` takes any, each a game of its own.

    Raises:
        MissingError: there is no such path, or none of these files is in it.
        DataError: an archive cannot be read, or is larger than any real one.
    """
    if not path.exists():
        raise MissingError(f"{path} is not there. Give a folder or zip that holds {' or '.join(names)}.")
    if is_one(path):
        return {path.stem: _read_file(path)}
    return _from_folder(path, names) if path.is_dir() else _from_archive(path, names)


def is_one(path: Path) -> bool:
    """Whether `path` is itself a document, and neither a folder nor an archive."""
    return path.is_file() and path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path)


def folder_of(path: Path, game: str) -> Path | None:
    """Where the document of a game that `gather` found in `path` stands; None in an archive."""
    if path.is_file():
        return path.parent if is_one(path) else None
    return path / game if (path / game).is_dir() else path


def pair(wanted: Collection[str], found: Collection[str]) -> dict[str, str]:
    """Which found game each wanted one is: the same name, or the same below or above a wrapping folder.

    Games without a partner are left out.

    Raises:
        DataError: it cannot be told which game belongs to which.
    """
    result = {}
    for game in wanted:
        alike = [name for name in found if name.endswith(f"/{game}") or game.endswith(f"/{name}")]
        if game in found:
            result[game] = game
        elif alike:
            _require_one(alike, of=game)
            result[game] = alike[0]
    for partner in result.values():
        _require_one([game for game in result if result[game] == partner], of=partner)
    return result


def wrapping_folder(pairs: Mapping[str, str]) -> str | None:
    """The folder around the found games, where one and the same stands around all of them."""
    wrappers = {found.removesuffix(game) if found.endswith(game) else "" for game, found in pairs.items()}
    return wrappers.pop() or None if len(wrappers) == 1 else None


def _require_one(games: Sequence[str], *, of: str) -> None:
    if len(games) > 1:
        raise DataError(
            f"{of} may be any of {len(games)} games: {', '.join(sorted(games)[:3])}. "
            "Point at the folder above england_efl or the like, of labels and of predictions alike."
        )


def _from_folder(root: Path, names: Sequence[str]) -> dict[str, Document]:
    below = [
        PurePosixPath(Path(folder).relative_to(root).as_posix(), file)
        for folder, _, files in os.walk(root, followlinks=True)
        for file in files
    ]
    chosen = _chosen(below, names, where=root)
    return {game: _read_file(root / path) for game, path in chosen.items()}


def _read_file(path: Path) -> Document:
    if path.stat().st_size > LIMIT_BYTES:
        raise _too_large(str(path))
    return Document(str(path), path.read_bytes())


def _from_archive(path: Path, names: Sequence[str]) -> dict[str, Document]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {PurePosixPath(info.filename): info for info in archive.infolist()}
            if len(members) > _LIMIT_MEMBERS:
                raise DataError(f"{path} holds {len(members):,} files: that is no archive of predictions.")
            chosen = _chosen(list(members), names, where=path)
            sizes = [members[member].file_size for member in chosen.values()]
            if max(sizes) > LIMIT_BYTES or sum(sizes) > _LIMIT_ALL_BYTES:
                raise _too_large(f"{path}, unpacked,")
            return {
                game: Document(f"{path}:{member}", archive.read(members[member]))
                for game, member in chosen.items()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path} is a damaged archive: {error}. Pack or download it again.") from error
    except (RuntimeError, NotImplementedError) as error:  # an encrypted one, or an exotic compression
        raise DataError(f"{path} cannot be read: {error}. Unpack it and pass the folder.") from error


def _chosen(
    paths: Collection[PurePosixPath], names: Sequence[str], *, where: Path
) -> dict[str, PurePosixPath]:
    """The wanted files among `paths`, by game."""
    for name in names:
        games = {_game(path, name, where=where): path for path in sorted(paths) if _is_wanted(path, name)}
        if games:
            return games
    listing = ", ".join(str(path) for path in sorted(paths)[:3]) or "nothing"
    raise MissingError(
        f"{where} holds no {' or '.join(names)}; it holds {listing}. "
        "Pass the folder above the games, as in england_efl/2019-2020/<game>/."
    )


def _is_wanted(path: PurePosixPath, name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and path.match(name)


def _game(path: PurePosixPath, name: str, *, where: Path) -> str:
    named = path.with_suffix("") if name.startswith("*") else path.parent
    if named.parts:
        return str(named)
    return where.stem if where.is_file() else where.resolve().name


def _too_large(what: str) -> DataError:
    return DataError(
        f"{what} is larger than the {LIMIT_BYTES:,} bytes of any real document. Is it the right file?"
    )
