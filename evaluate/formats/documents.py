"""JSON documents by game, read from a folder, a zip archive or a single file; archives are never unpacked to disk."""

from __future__ import annotations

import errno
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bas.dataset.names import NamesOnDisk, composed
from bas.errors import DataError, MissingError
from bas.files import open_regular, read_file, reopens
from bas.messages import not_existing

MAX_DOCUMENT_BYTES = 64 << 20
"""Maximum size of one document, the same as for any JSON document that bas reads."""

ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
"""What zipfile raises on damaged archives and on names that are not UTF-8, found by damaging archives at random."""

_HIGHEST_RATIO, _RATIO_FROM_BYTES = 100, 10 << 20  # of compression; predictions are far below
MAX_ARCHIVE_MEMBERS = 100_000
_MAX_TOTAL_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Document:
    """Content of one file, with its name for messages."""

    source: str
    content: bytes


@reopens
def gather_documents(path: Path, *names: str) -> dict[str, Document]:
    """Read all documents below `path` that have the first of `names` to occur there, by game.

    The name of a game is its folder relative to `path`, with forward slashes and composed accents; a document at
    the top level is named after `path` itself.

    Args:
        path: a folder, a zip archive, or a single document of any name, which may be packed with gzip.
        names: file names in order of preference; `*.json` matches any, each file being its own game.

    Raises:
        MissingError: the path does not exist, or contains none of these files.
        DataError: an archive cannot be read, or is implausibly large.
    """
    if not path.exists():
        raise MissingError(f"{not_existing(path)} Expected a folder or zip with {' or '.join(names)}.")
    if is_single_document(path):
        return {composed(path.stem): _read_file(path)}
    return _from_folder(path, names) if path.is_dir() else _from_archive(path, names)


def is_single_document(path: Path) -> bool:
    """Whether `path` is itself a document rather than a folder or an archive."""
    return path.is_file() and path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path)


def raise_if_of_disk(error: Exception) -> None:
    """Raise one of `ARCHIVE_ERRORS` again if the disk failed and not the archive: bz2 raises an OSError, too."""
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        raise error


def require_plausible(member: zipfile.ZipInfo, *, source: str) -> None:
    """Refuse a member of an archive that is compressed as no document is.

    Raises:
        DataError: it is.
    """
    if member.file_size > max(_RATIO_FROM_BYTES, _HIGHEST_RATIO * member.compress_size):
        raise DataError(
            f"{source} declares {member.file_size:,} bytes, compressed to {member.compress_size:,}, unlike any document. "
            "Is it the right file?"
        )


def document_folder(path: Path, game: str) -> Path | None:
    """Folder of the document that `gather_documents` found for a game in `path`; None in an archive."""
    if path.is_file():
        return path.parent if is_single_document(path) else None
    folder = NamesOnDisk().find(path / game, below=path)
    return folder if folder.is_dir() else path


def pair_games(games: Collection[str], found: Collection[str]) -> dict[str, str]:
    """Map each game to the found game of the same name, ignoring extra folders above either of them.

    Games without a match are left out.

    Raises:
        DataError: the match is ambiguous.
    """
    names = set(found)
    by_ending: dict[str, list[str]] = {}
    for name in found:
        for ending in path_endings(name):
            by_ending.setdefault(ending, []).append(name)
    result = {}
    for game in games:
        if game in names:
            result[game] = game
            continue
        similar = [*by_ending.get(game, ()), *(ending for ending in path_endings(game) if ending in names)]
        if similar:
            _require_unambiguous(game, similar)
            result[game] = similar[0]
    sharing: dict[str, list[str]] = {}
    for game, match in result.items():
        sharing.setdefault(match, []).append(game)
    for match, of_match in sharing.items():  # nor may two games share one match
        _require_unambiguous(match, of_match)
    return result


def path_endings(name: str) -> list[str]:
    """What is left of a name without its first folder, its first two, and so on."""
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(1, len(parts))]


def wrapping_folder(pairs: Mapping[str, str]) -> str | None:
    """The extra folder above the found games, if it is the same for all of them."""
    wrappers = {found.removesuffix(game) if found.endswith(game) else "" for game, found in pairs.items()}
    return wrappers.pop() or None if len(wrappers) == 1 else None


def _require_unambiguous(name: str, games: Sequence[str]) -> None:
    if len(games) > 1:
        raise DataError(
            f"{name} matches {len(games)} games: {', '.join(sorted(games)[:3])}. "
            "Pass the folder above the league folders (such as england_efl), for labels and predictions alike."
        )


def _from_folder(root: Path, names: Sequence[str]) -> dict[str, Document]:
    below = [
        PurePosixPath(Path(folder).relative_to(root).as_posix(), file)
        for folder, files in _folders(root)
        for file in files
    ]
    chosen = _chosen(below, names, where=root)
    return {game: _read_file(root / path) for game, path in chosen.items()}


def _folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder below `root` with its files; links are followed, except into a folder that they lie in."""
    above = {str(root): [os.path.realpath(root)]}
    for folder, folders, files in os.walk(root, followlinks=True):
        chain = above.pop(folder)
        targets = {name: os.path.realpath(os.path.join(folder, name)) for name in folders}  # noqa: PTH118
        folders[:] = [name for name in folders if targets[name] not in chain]
        above.update({os.path.join(folder, name): [*chain, targets[name]] for name in folders})  # noqa: PTH118
        yield folder, files


def _read_file(path: Path) -> Document:
    if path.suffix.lower() == ".gz":
        return Document(str(path), _unpacked(path))
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise _too_large(str(path))
    return Document(str(path), read_file(path, limit_bytes=MAX_DOCUMENT_BYTES))


def _unpacked(path: Path) -> bytes:
    try:
        with open_regular(path) as packed, gzip.open(packed) as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file: {error}. Pack or download it again.") from error
    if len(content) > MAX_DOCUMENT_BYTES:
        raise _too_large(str(path))
    return content


def _from_archive(path: Path, names: Sequence[str]) -> dict[str, Document]:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = {PurePosixPath(info.filename): info for info in archive.infolist()}
            if len(members) > MAX_ARCHIVE_MEMBERS:
                raise DataError(
                    f"{path} contains {len(members):,} files, too many for an archive of predictions."
                )
            chosen = _chosen(list(members), names, where=path)
            sizes = {member: members[member].file_size for member in chosen.values()}
            for member, size in sizes.items():
                if size > MAX_DOCUMENT_BYTES:
                    raise _too_large(f"{path}:{member}")
                require_plausible(members[member], source=f"{path}:{member}")
            total = sum(sizes.values())
            if total > _MAX_TOTAL_BYTES:
                raise DataError(
                    f"The documents in {path} have {total:,} bytes. Expected at most {_MAX_TOTAL_BYTES:,} in one "
                    "archive. Is it the right file?"
                )
            return {
                game: Document(f"{path}:{member}", archive.read(members[member]))
                for game, member in chosen.items()
            }
    except ARCHIVE_ERRORS as error:
        raise_if_of_disk(error)
        raise DataError(f"{path} is a damaged archive: {error}. Pack or download it again.") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unsupported compression method
        raise DataError(f"{path} cannot be read: {error}. Unpack it and pass the folder.") from error


def _chosen(
    paths: Collection[PurePosixPath], names: Sequence[str], *, where: Path
) -> dict[str, PurePosixPath]:
    """The files with the preferred name among `paths`, by game."""
    for name in names:
        games: dict[str, PurePosixPath] = {}
        for path in (path for path in sorted(paths) if _matches(path, name)):
            game = _game(path, name, where=where)
            if game in games:
                raise DataError(
                    f"{where} has {games[game]} and {path}, which differ only in how accents are stored. Keep one."
                )
            games[game] = path
        if games:
            return games
    listing = ", ".join(str(path) for path in sorted(paths)[:3]) or "nothing"
    raise MissingError(
        f"{where} contains no {' or '.join(names)}. It contains {listing}. "
        "Pass the folder above the games, as in england_efl/2019-2020/<game>/."
    )


def _matches(path: PurePosixPath, name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and path.match(name)


def _game(path: PurePosixPath, name: str, *, where: Path) -> str:
    named = path.with_suffix("") if name.startswith("*") else path.parent
    if named.parts:
        return composed(str(named))
    return composed(where.stem if where.is_file() else where.resolve().name)


def _too_large(what: str) -> DataError:
    return DataError(
        f"{what} is larger than {MAX_DOCUMENT_BYTES:,} bytes, the limit for a document. Is it the right file?"
    )
