"""Unpacking a downloaded zip that may be encrypted, and may be hostile.

Every member is written whole or not at all, below the root and nowhere else, and counted while it
is unpacked; what is there already and the same is kept.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bas.dataset.layouts import LEAGUES
from bas.dataset.manifest import Entry
from bas.errors import AccessError, DataError, OutputError
from bas.files import publish, sha256_of, write_at

if TYPE_CHECKING:
    import zipfile

_BLOCK_BYTES = 1 << 22
_MOST_MEMBERS = 100_000
_MOST_BYTES = 2 << 40
_HIGHEST_RATIO, _RATIO_FROM_BYTES = 100, 10 << 20  # video and labels are far from it

Ask = Callable[[], str]
"""Gives the password; called once, where it is needed."""


def unpack(
    archive: Path,
    root: Path,
    *,
    password: Ask,
    known: dict[str, Entry],
    done: Callable[[str, Entry], None],
    advance: Callable[[int], None],
) -> None:
    """Unpack every file of an archive below `root`; folders around a league's are left away.

    Args:
        archive: zip, plain, or encrypted by ZipCrypto or AES.
        root: of the data.
        password: asked for where a member is encrypted.
        known: files that an earlier call unpacked, by path; they are kept, or replaced if nobody changed them.
        done: told of every file that is there in the end.
        advance: told of every block of bytes.

    Raises:
        AccessError: the password is not the right one.
        DataError: the archive is damaged or hostile, or a file of another content is in the way.
        OutputError: the disk is full.
    """
    with _opened(archive) as opened:
        members = _checked(opened, archive, root)
        secret = password().encode() if any(m.flag_bits & 1 for m in members.values()) else None
        for name, member in members.items():
            reader = _Reader(opened, archive, member, secret, advance)
            done(name, _place(root / name, reader, known.get(name)))


class _Reader:
    """One member, read block by block with everything checked."""

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
        """All of the content.

        Raises:
            AccessError: the password is not the right one.
            DataError: it is damaged, or longer than the archive says.
        """
        import pyzipper

        left = self.size
        try:
            with self._opened.open(self._member, pwd=self._secret) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    left -= len(block)
                    if left < 0:
                        raise self._damaged("it is longer than the archive says")
                    yield block
                    self._advance(len(block))
        except RuntimeError as error:  # the text of pyzipper and zipfile
            if "password" not in str(error).lower():
                raise
            raise AccessError(
                f"The password does not open {self._archive.name}. Take the one of the agreement (NDA) for these data: "
                "in SOCCERNET_PASSWORD, or typed when asked."
            ) from error
        except NotImplementedError as error:
            raise self._damaged(f"it is packed in a way that bas does not know ({error})") from error
        except (pyzipper.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise self._damaged(str(error)) from error
        if left:
            raise self._damaged(f"{left:,} bytes are missing")

    def _damaged(self, reason: str) -> DataError:
        rather = ", or the password is wrong" if self._secret is not None else ""
        return DataError(
            f"{self._archive}: {self._member.filename} cannot be unpacked: {reason}{rather}. Delete the archive and run "
            "the same command again."
        )


def _place(path: Path, reader: _Reader, known: Entry | None) -> Entry:
    """Write a file, unless it is there; what differs and is not as an earlier call left it is in the way."""
    if path.is_file() and known is not None and path.stat().st_size == known.bytes == reader.size:
        return known
    if path.exists() and not _is_as_left(path, known):
        digest = hashlib.sha256()
        for block in reader.blocks():
            digest.update(block)
        if not path.is_file() or sha256_of(path) != digest.hexdigest():
            raise DataError(f"{path} is in the way: it differs from the one downloaded. Move it elsewhere.")
        return Entry(reader.size, digest.hexdigest())
    digest = hashlib.sha256()

    def fill(descriptor: int) -> None:
        offset = 0
        for block in reader.blocks():
            digest.update(block)
            write_at(descriptor, block, offset)
            offset += len(block)

    publish(path, fill, size=reader.size)
    return Entry(reader.size, digest.hexdigest())


def _is_as_left(path: Path, known: Entry | None) -> bool:
    return known is not None and path.is_file() and sha256_of(path) == known.sha256


@contextmanager
def _opened(archive: Path) -> Iterator[Any]:
    import pyzipper

    try:
        opened = pyzipper.AESZipFile(archive)
    except (pyzipper.BadZipFile, OSError, ValueError) as error:
        raise DataError(
            f"{archive} is no whole zip archive: {error}. Delete it and run the same command again."
        ) from error
    with opened:
        yield opened


def _checked(opened: Any, archive: Path, root: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive by the path below the root that each is to have; every one looked at first."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    total = sum(info.file_size for info in infos)
    if len(infos) > _MOST_MEMBERS or total > _MOST_BYTES:
        raise _hostile(archive, f"it claims {len(infos):,} files of {total:,} bytes")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if (name := _name(info, archive, root)) is None:
            continue
        if info.file_size > max(_RATIO_FROM_BYTES, _HIGHEST_RATIO * info.compress_size):
            raise _hostile(
                archive, f"{info.filename!r} claims {info.file_size:,} bytes in {info.compress_size:,}"
            )
        if name in members:
            raise _hostile(archive, f"{name!r} stands in it twice")
        members[name] = info
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    need = sum(m.file_size for name, m in members.items() if not (root / name).exists())
    if need > free:
        raise OutputError(
            f"{archive.name} unpacks to {need:,} bytes and {free:,} are free in {root}. Make room there."
        )
    return members


def _name(info: zipfile.ZipInfo, archive: Path, root: Path) -> str | None:
    """Where a member belongs below the root; None for what an operating system added."""
    name = info.filename
    pure = PurePosixPath(name)
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode not in (0, stat.S_IFREG):
        raise _hostile(archive, f"{name!r} is a link or a device")
    odd = any(ord(character) < 32 or character in "\\:" for character in name)
    if odd or pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise _hostile(archive, f"the path {name!r} leads elsewhere")
    if any(part.startswith(".") or part == "__MACOSX" for part in pure.parts):
        return None
    league = next((i for i, part in enumerate(pure.parts) if part in LEAGUES), 0)
    placed = PurePosixPath(*pure.parts[league:])
    if not (root / placed).resolve().is_relative_to(root.resolve()):
        raise _hostile(archive, f"{name!r} leads out of {root} by a link that lies there")
    return str(placed)


def _hostile(archive: Path, what: str) -> DataError:
    return DataError(f"{archive} is not unpacked: {what}, as in no archive of SoccerNet. Delete it.")
