"""The zip that a challenge server takes: built, opened again, and refused with every fault named."""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from bas import files
from bas.dataset import length_ms
from bas.dataset.games import listing
from bas.errors import DataError, MissingError, OutputError
from bas.evaluate.documents import LIMIT_BYTES
from bas.evaluate.soccernet import RESULTS_FILE
from bas.evaluate.submission_entries import Rules, document_faults
from bas.evaluate.timelines import HALVES
from bas.types import Game

_SHOWN = 20  # faults that a message names
_DAY_ZERO = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: its bytes depend on the content alone
_ZIP_BEGINS = b"PK\x03\x04"


def write_submission(
    path: Path,
    documents: Mapping[str, bytes],
    games: Sequence[Game],
    classes: Collection[str],
    *,
    teams: bool | None = None,
) -> tuple[str, ...]:
    """Pack results_spotting.json of every game, check the archive from the disk, and only then name it `path`.

    Args:
        path: of the zip; an older one is replaced by a sound one alone.
        documents: what to pack, by game.
        games, classes, teams: as `check_submission`.

    Returns:
        Its notes.

    Raises:
        DataError: the archive would be refused; no new file is left.
        OutputError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".submission-") as folder:
        draft = Path(folder) / path.name
        files.atomic_write(draft, packed(documents))
        notes = check_submission(draft, games, classes, teams=teams)
        _require_same(draft, documents)
        draft.replace(path)
        files.sync_folder(path.parent)
    return notes


def packed(documents: Mapping[str, bytes]) -> bytes:
    """A zip of `<game>/results_spotting.json`, games in order; the same documents give the same bytes."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for game, content in sorted(documents.items()):
            member = zipfile.ZipInfo(f"{game}/{RESULTS_FILE}", _DAY_ZERO)
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return memory.getvalue()


def check_submission(
    archive: Path, games: Sequence[Game], classes: Collection[str], *, teams: bool | None = None
) -> tuple[str, ...]:
    """Look at a zip, anyone's, as a challenge server would, and more strictly.

    Args:
        archive: the zip.
        games: exactly these have to be in it; those of their videos that are there tell how long they are.
        classes: labels that may occur.
        teams: whether every prediction has to name left or right; None lets all name one, or none.

    Returns:
        What is legal but odd.

    Raises:
        MissingError: there is no such file.
        DataError: with every fault of the archive, each named.
    """
    with _opened(archive) as opened:
        faults, contents = _members(opened, [game.id for game in games])
    notes = list(_unknown_lengths(games))
    named: Counter[bool] = Counter()
    for game in games:
        if game.id not in contents:
            continue
        looked = document_faults(contents[game.id], _rules(game, classes, teams))
        faults += [f"{game.id}/{RESULTS_FILE}: {text}" for text in looked.faults]
        if not looked.faults and not looked.with_team + looked.without_team:
            notes.append(f"{game.id} has an empty list of predictions")
        named += Counter({True: looked.with_team, False: looked.without_team})
    faults += _mixed_teams(named, teams)
    if faults:
        raise DataError(_message(archive, faults))
    if named[False]:
        notes.append("no prediction names a team: the servers of 2023 and 2024 take that, that of 2025 stops")
    return tuple(notes)


def games_in(archive: Path) -> tuple[str, ...]:
    """The folders of results in a zip: the games that it names, if they stand at its root.

    Raises:
        MissingError, DataError: it is not there, or no zip.
    """
    with _opened(archive) as opened:
        paths = [PurePosixPath(_normal(info.filename)) for info in opened.infolist()]
    return tuple(str(path.parent) for path in paths if path.name == RESULTS_FILE and len(path.parts) > 1)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    if not archive.is_file():
        raise MissingError(f"{archive} is not there, or no file. Give the zip that is to be checked.")
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (zipfile.BadZipFile, OSError) as error:
        with archive.open("rb") as stream:
            begins = stream.read(4)
        if begins == _ZIP_BEGINS:
            raise DataError(
                f"{archive} is cut or damaged: {error}. Copy it again, or pack it anew."
            ) from error
        raise DataError(
            f"{archive} is no zip archive: {error}. Pack it with zip, not with 7z, rar or tar."
        ) from error


def _require_same(draft: Path, documents: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(draft) as archive:
        if any(archive.read(f"{game}/{RESULTS_FILE}") != content for game, content in documents.items()):
            raise OutputError(
                f"{draft} came back from the disk with other predictions than were written. Check the disk, and "
                "run the same command again."
            )


def _members(archive: zipfile.ZipFile, games: Sequence[str]) -> tuple[list[str], dict[str, bytes]]:
    """Faults of the paths in an archive, and what can be read of the games' documents."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    names = [_normal(info.filename) for info in infos]
    wanted = {f"{game}/{RESULTS_FILE}": game for game in games}
    faults = [*_unsafe(info.orig_filename for info in infos), *_repeated(names)]
    placed, contents = dict(zip(names, infos, strict=True)), {}
    for name, game in wanted.items():
        if name in placed:
            try:
                contents[game] = _content(archive, placed[name])
            except DataError as error:
                faults.append(str(error))
    faults += _misplaced([name for name in placed if name not in wanted], wanted, found=placed)
    return faults, contents


def _normal(name: str) -> str:
    """The path that was meant: what keeps a server from it is named by `_unsafe`."""
    return name.replace("\\", "/").removeprefix("./")


def _unsafe(names: Iterator[str]) -> Iterator[str]:
    for name in names:
        if "\\" in name:
            yield f"the path {name!r} has backslashes, which are no folders to a server; pack with forward slashes"
        elif name.startswith("./"):
            yield f"the path {name!r} starts with ./, which a server does not take away; pack without it"
        elif name.startswith("/") or ".." in PurePosixPath(name).parts:
            yield f"the path {name!r} leads out of the archive"


def _repeated(names: Sequence[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{name} stands {count} times in the archive: keep one"


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > LIMIT_BYTES:
        raise DataError(
            f"{member.filename} has {member.file_size:,} bytes, more than any real one ({LIMIT_BYTES:,})"
        )
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{member.filename} is damaged in the archive: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an exotic compression
        raise DataError(f"{member.filename} cannot be read by a server: {error}") from error


def _misplaced(others: Sequence[str], wanted: Mapping[str, str], *, found: Collection[str]) -> list[str]:
    """Faults of the files that are not where one is wanted, and of the games that have none."""
    faults, moved, strangers = [], set(), []
    for name in others:
        inside = next((path for path in wanted if name.endswith(f"/{path}")), None)
        above = next((path for path in wanted if path.endswith(f"/{name}")), None)
        renamed = next((p for p, game in wanted.items() if str(PurePosixPath(name).parent) == game), None)
        if inside is not None:
            wrapper = name.removesuffix(inside)
            faults.append(f"{name} stands inside {wrapper}, not at the root: pack from inside that folder")
            moved.add(inside)
        elif above is not None:
            faults.append(f"{name} lacks the folders above it: its path has to be {above}")
            moved.add(above)
        elif renamed is not None and renamed not in found:
            faults.append(f"{name} has to be named {RESULTS_FILE}")
            moved.add(renamed)
        elif PurePosixPath(name).name == RESULTS_FILE:
            strangers.append(str(PurePosixPath(name).parent))
        else:
            faults.append(f"{name} is no file that a server reads: leave it out")
    if strangers:
        faults.append(
            f"there are games that the split has not ({len(strangers)}): {listing(strangers, shown=3)}"
        )
    missing = [game for path, game in wanted.items() if path not in found and path not in moved]
    if missing:
        faults.append(
            f"{len(missing)} of {len(wanted)} games are missing: {listing(missing, shown=3)}; a game without "
            "predictions has a file with an empty list"
        )
    return faults


def _rules(game: Game, classes: Collection[str], teams: bool | None) -> Rules:
    """What may stand in the document of one game; where it has no video, either half may."""
    lengths = {video.half: length_ms(video.path) if video.path.is_file() else None for video in game.videos}
    return Rules(game.id, tuple(classes), lengths or dict.fromkeys(HALVES), teams)


def _unknown_lengths(games: Sequence[Game]) -> Iterator[str]:
    unknown = [game.id for game in games if not all(video.path.is_file() for video in game.videos)]
    unknown += [game.id for game in games if not game.videos]
    if unknown:
        halves = ", and their halves against 1 and 2" if any(not game.videos for game in games) else ""
        yield (
            f"videos are not here of {len(unknown)} of {len(games)} games, so that their positions are held against "
            f"120 minutes alone{halves}: {listing(unknown, shown=3)}"
        )


def _mixed_teams(named: Mapping[bool, int], teams: bool | None) -> list[str]:
    if teams is None and named[True] and named[False]:
        total = named[True] + named[False]
        return [f"{named[False]:,} of {total:,} predictions name no team, the others do: all or none have to"]
    return []


def _message(archive: Path, faults: Sequence[str]) -> str:
    lines = [f"{archive} would be refused or misread:"]
    lines += [f"  {fault}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"  and {len(faults) - _SHOWN:,} more")
    lines.append("Mend them where the predictions were written, and pack again: bas submit does both.")
    return "\n".join(lines)
