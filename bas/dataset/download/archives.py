"""Safe unpacking of downloaded zip archives, which may be encrypted or malicious.

Each member is written atomically, only below the root, and its bytes are counted while it is unpacked.
Existing files with the same content are kept.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bas.dataset.layouts import LEAGUES
from bas.dataset.manifest import FileRecord
from bas.errors import AccessError, DataError, OutputError
from bas.files import publish, sha256_of, write_at
from bas.messages import counted

if TYPE_CHECKING:
    import zipfile

_BLOCK_BYTES = 1 << 22
_MOST_MEMBERS = 100_000
_MOST_BYTES = 2 << 40
_HIGHEST_RATIO, _RATIO_FROM_BYTES = 100, 10 << 20  # compression ratio; video and labels are far below

Ask = Callable[[], str]
"""Returns the password; called at most once, if an archive is encrypted."""


def unpack(
    archive: Path,
    root: Path,
    *,
    password: Ask,
    known: dict[str, FileRecord],
    done: Callable[[str, FileRecord], None],
    advance: Callable[[int], None],
) -> None:
    """Unpack all files of an archive below `root`, without the folders above a league's folder.

    Args:
        archive: zip, plain, or encrypted by ZipCrypto or AES.
        root: data folder.
        password: called if a member is encrypted.
        known: files unpacked by an earlier call, by path; they are kept, or replaced if they were not changed since.
        done: called for each file that exists in the end.
        advance: called with the size of each block.

    Raises:
        AccessError: the password is wrong.
        DataError: the archive is damaged or malicious, or a file with other content is in the way.
        OutputError: the disk is full.
    """
    with _opened(archive) as opened:
        members = _checked(opened, archive, root)
        secret = password().encode() if any(m.flag_bits & 1 for m in members.values()) else None
        for name, member in members.items():
            reader = _Reader(opened, archive, member, secret, advance)
            done(name, _place(root / name, reader, known.get(name)))


class _Reader:
    """Reader of one member, which checks every block."""

    def __init__(
        self,
        opened: Any,
        archive: Path,
        member: zipfile.ZipInfo,
        secret: bytes | None,
        advance: Callable[[int], None],
    ) -> None:
        self.size = member.file_size
        self._opened, self._archive, self._member = opened, archive, member
        self._secret, self._advance = secret, advance

    def blocks(self) -> Iterator[bytes]:
        """Content of the member.

        Raises:
            AccessError: the password is wrong.
            DataError: the member is damaged, or longer than declared.
        """
        import pyzipper

        left = self.size
        try:
            with self._opened.open(self._member, pwd=self._secret) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    left -= len(block)
                    if left < 0:
                        raise self._damaged("it is longer than declared")
                    yield block
                    self._advance(len(block))
        except RuntimeError as error:  # pyzipper and zipfile have no class of their own for a wrong password
            if "password" not in str(error).lower():
                raise
            raise AccessError(
                f"Wrong password for {self._archive.name}. Use the password of the agreement (NDA) for these data: "
                "set SOCCERNET_PASSWORD, or type it when asked."
            ) from error
        except NotImplementedError as error:
            raise self._damaged(f"unsupported compression ({error})") from error
        except (pyzipper.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise self._damaged(str(error)) from error
        if left:
            raise self._damaged(f"{left:,} bytes are missing")

    def _damaged(self, reason: str) -> DataError:
        doubt = ", or the password is wrong" if self._secret is not None else ""
        return DataError(
            f"Cannot unpack {self._member.filename} of {self._archive}: {reason}{doubt}. Delete the archive and run "
            "the same command again."
        )


def _place(path: Path, reader: _Reader, known: FileRecord | None) -> FileRecord:
    """Write a file unless it exists; a different file is replaced only if an earlier call left it unchanged.

    Raises:
        DataError: a different file is in the way.
    """
    if path.is_file() and known is not None and path.stat().st_size == known.bytes == reader.size:
        return known
    if path.exists() and not _is_as_left(path, known):
        digest = hashlib.sha256()
        for block in reader.blocks():
            digest.update(block)
        if not path.is_file() or sha256_of(path) != digest.hexdigest():
            raise DataError(f"{path} is in the way: it differs from the downloaded file. Move it elsewhere.")
        return FileRecord(reader.size, digest.hexdigest())
    digest = hashlib.sha256()

    def fill(descriptor: int) -> None:
        offset = 0
        for block in reader.blocks():
            digest.update(block)
            write_at(descriptor, block, offset)
            offset += len(block)

    publish(path, fill, size=reader.size)
    return FileRecord(reader.size, digest.hexdigest())


def _is_as_left(path: Path, known: FileRecord | None) -> bool:
    return known is not None and path.is_file() and sha256_of(path) == known.sha256


def _opened(archive: Path) -> Any:
    import pyzipper

    try:
        return pyzipper.AESZipFile(archive)
    except (pyzipper.BadZipFile, OSError, ValueError) as error:
        raise DataError(
            f"{archive} is not a valid zip archive: {error}. Delete it and run the same command again."
        ) from error


def _checked(opened: Any, archive: Path, root: Path) -> dict[str, zipfile.ZipInfo]:
    """Check all members before any is unpacked; return them by their path below the root."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    total = sum(info.file_size for info in infos)
    if len(infos) > _MOST_MEMBERS or total > _MOST_BYTES:
        raise _malicious(archive, f"it declares {counted(len(infos), 'file')} with {total:,} bytes")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if (name := _name(info, archive, root)) is None:
            continue
        if info.file_size > max(_RATIO_FROM_BYTES, _HIGHEST_RATIO * info.compress_size):
            raise _malicious(
                archive,
                f"{info.filename!r} declares {info.file_size:,} bytes, compressed to {info.compress_size:,}",
            )
        if name in members:
            raise _malicious(archive, f"it contains {name!r} twice")
        members[name] = info
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    need = sum(m.file_size for name, m in members.items() if not (root / name).exists())
    if need > free:
        raise OutputError(
            f"{archive.name} unpacks to {need:,} bytes, but only {free:,} are free in {root}. Free some space there."
        )
    return members


def _name(info: zipfile.ZipInfo, archive: Path, root: Path) -> str | None:
    """Path of a member below the root; None for files that an operating system added."""
    name = info.filename
    pure = PurePosixPath(name)
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode not in (0, stat.S_IFREG):
        raise _malicious(archive, f"{name!r} is a link or a device")
    odd = any(ord(character) < 32 or character in "\\:" for character in name)
    if odd or pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise _malicious(archive, f"the path {name!r} leads out of it")
    if any(part.startswith(".") or part == "__MACOSX" for part in pure.parts):
        return None
    league = next((i for i, part in enumerate(pure.parts) if part in LEAGUES), 0)
    placed = PurePosixPath(*pure.parts[league:])
    if not (root / placed).resolve().is_relative_to(root.resolve()):
        raise _malicious(archive, f"{name!r} leads out of {root} through a symbolic link there")
    return str(placed)


def _malicious(archive: Path, problem: str) -> DataError:
    return DataError(f"Refused to unpack {archive}: {problem}, unlike any archive of SoccerNet. Delete it.")
