"""Check of submission archives: what a challenge server fails on is refused, what it ignores or misreads is noted."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from bas.dataset import BALL_CLASSES, length_ms
from bas.errors import DataError, MissingError
from bas.evaluate.formats.documents import (
    ARCHIVE_ERRORS,
    MAX_ARCHIVE_MEMBERS,
    MAX_DOCUMENT_BYTES,
    raise_if_of_disk,
    require_plausible,
)
from bas.evaluate.formats.soccernet import RESULTS_FILE
from bas.evaluate.metric.timelines import HALVES
from bas.evaluate.scoring.score import official_framerate
from bas.evaluate.submission.entries import DocumentRules, Finding, check_document
from bas.files import reopens
from bas.messages import counted, listing
from bas.types import Game

_MAX_LISTED_FAULTS = 20
_ZIP_MAGIC = b"PK\x03\x04"


def check_submission(
    archive: Path,
    games: Sequence[Game],
    classes: Collection[str],
    *,
    teams: bool | None = None,
    strict: bool = False,
    shown_as: Path | None = None,
) -> tuple[str, ...]:
    """Check any zip as a challenge server would.

    Args:
        archive: the zip.
        games: the games that it must contain; positions are checked against their videos.
        classes: allowed labels.
        teams: whether every prediction must have a team (left or right); None requires all or none to have one.
        strict: refuse what a server would ignore or misread, too.
        shown_as: path of the zip in the message, if it is not yet there.

    Returns:
        Notes on what a server ignores or misreads, and on what is legal but unusual.

    Raises:
        MissingError: the file does not exist.
        DataError: the archive has faults; the message lists them.
    """
    with _opened(archive) as opened:
        faults, oddities, contents = _members(opened, [game.id for game in games])
    notes = list(_unknown_lengths(games))
    has_team: Counter[bool] = Counter()
    minor: dict[str, list[tuple[str, Finding]]] = {}
    framerate = official_framerate(classes)
    for game in games:
        if game.id not in contents:
            continue
        report = check_document(contents[game.id], _rules(game, classes, teams, framerate=framerate))
        for finding in report.findings:
            if finding.is_refused:
                faults.append(f"{game.id}/{RESULTS_FILE}: {finding}")
            else:
                minor.setdefault(finding.kind, []).append((game.id, finding))
        if not report.findings and not report.num_with_team + report.num_without_team:
            notes.append(f"{game.id} has an empty list of predictions")
        has_team += Counter({True: report.num_with_team, False: report.num_without_team})
    oddities += map(_across_games, minor.values())
    if teams is None and has_team[True] and has_team[False]:
        faults.append(
            f"no team in {has_team[False]:,} of {counted(has_team.total(), 'prediction')}; either all or none "
            "must have one"
        )
    if has_team[False] and set(classes) <= set(BALL_CLASSES):
        notes.append(
            "no prediction has a team: the servers of 2023 and 2024 accept that, the server of 2025 fails"
        )
    if strict:
        faults += oddities
    if faults:
        raise DataError(_message(shown_as or archive, faults))
    return (*oddities, *notes)


def games_in_archive(archive: Path) -> tuple[str, ...]:
    """Folders of all results_spotting.json in a zip; in a valid zip these are the ids of its games.

    Raises:
        MissingError: the file does not exist.
        DataError: the file is not a zip.
    """
    with _opened(archive) as opened:
        paths = [PurePosixPath(_normalized(info.filename)) for info in opened.infolist()]
    return tuple(str(path.parent) for path in paths if path.name == RESULTS_FILE and len(path.parts) > 1)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    if not archive.is_file():
        raise MissingError(f"{archive} does not exist or is not a file. Pass the zip to check.")
    try:
        opened = reopens(lambda: zipfile.ZipFile(archive))()
    except (*ARCHIVE_ERRORS, NotImplementedError) as error:
        raise_if_of_disk(error)
        with archive.open("rb") as stream:
            magic = stream.read(4)
        if magic == _ZIP_MAGIC:
            raise DataError(f"{archive} is truncated or damaged: {error}. Copy or pack it again.") from error
        raise DataError(
            f"{archive} is not a zip archive: {error}. Pack it with zip, not with 7z, rar or tar."
        ) from error
    with opened:
        if len(opened.infolist()) > MAX_ARCHIVE_MEMBERS:
            raise DataError(
                f"{archive} contains {len(opened.infolist()):,} files, too many for an archive of predictions."
            )
        yield opened


def _members(archive: zipfile.ZipFile, games: Sequence[str]) -> tuple[list[str], list[str], dict[str, bytes]]:
    """Faults and oddities of the paths in an archive, and the readable documents by game."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    names = [_normalized(info.filename) for info in infos]
    expected = {f"{game}/{RESULTS_FILE}": game for game in games}
    faults = list(_unsafe(info.orig_filename for info in infos))
    repeated = ((name, count) for name, count in Counter(names).items() if count > 1)
    oddities = [f"{name} occurs {count} times in the archive; keep one" for name, count in repeated]
    members, contents = dict(zip(names, infos, strict=True)), {}
    for name, game in expected.items():
        if name in members:
            try:
                contents[game] = _read_member(archive, members[name])
            except DataError as error:
                faults.append(str(error))
    others = [name for name in members if name not in expected]
    misplaced, unread = _misplaced(others, expected, found=members)
    return faults + misplaced, oddities + unread, contents


def _normalized(name: str) -> str:
    """The intended path; `_unsafe` reports whatever keeps a server from reading it there."""
    return name.replace("\\", "/").removeprefix("./")


def _unsafe(names: Iterator[str]) -> Iterator[str]:
    for name in names:
        if "\\" in name:
            yield f"the path {name!r} has backslashes, which a server does not take for folders; use forward slashes"
        elif name.startswith("./"):
            yield f"the path {name!r} starts with ./, which a server does not strip; pack without it"
        elif name.startswith("/") or ".." in PurePosixPath(name).parts:
            yield f"the path {name!r} points outside the archive"


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_DOCUMENT_BYTES:
        raise DataError(
            f"{member.filename} has {member.file_size:,} bytes, more than the limit of {MAX_DOCUMENT_BYTES:,}"
        )
    require_plausible(member, source=member.filename)
    try:
        return archive.read(member)
    except ARCHIVE_ERRORS as error:
        raise_if_of_disk(error)
        raise DataError(f"{member.filename} is damaged in the archive: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unsupported compression method
        raise DataError(f"a server cannot read {member.filename}: {error}") from error


def _misplaced(
    others: Sequence[str], expected: Mapping[str, str], *, found: Collection[str]
) -> tuple[list[str], list[str]]:
    """Faults of the games without a file at their path, and oddities of the files that no server reads.

    Args:
        others: paths in the archive at which no file is expected.
        expected: game by expected path.
        found: all paths in the archive.
    """
    # A game whose file is merely misplaced is reported once, there, and not as missing as well.
    faults, unread, misplaced, unknown_games = [], [], set(), []
    lacking = {path: game for path, game in expected.items() if path not in found}
    for name in others:
        inside = next((path for path in lacking if name.endswith(f"/{path}")), None)
        above = next((path for path in lacking if path.endswith(f"/{name}")), None)
        renamed = next((p for p, game in lacking.items() if str(PurePosixPath(name).parent) == game), None)
        if inside is not None:
            wrapper = name.removesuffix(inside)
            faults.append(f"{name} is inside {wrapper}, not at the root; pack from inside that folder")
            misplaced.add(inside)
        elif above is not None:
            faults.append(f"{name} is missing its parent folders; its path must be {above}")
            misplaced.add(above)
        elif renamed is not None:
            faults.append(f"{name} must be named {RESULTS_FILE}")
            misplaced.add(renamed)
        elif PurePosixPath(name).name == RESULTS_FILE:
            unknown_games.append(str(PurePosixPath(name).parent))
        else:
            unread.append(name)
    oddities = []
    if unread:
        oddities.append(
            f"a server does not read {counted(len(unread), 'other file')}: {listing(unread, shown=3)}"
        )
    if unknown_games:
        oddities.append(
            f"{counted(len(unknown_games), 'unexpected game')}, not in the split: "
            f"{listing(unknown_games, shown=3)}"
        )
    missing = [game for path, game in lacking.items() if path not in misplaced]
    if missing:
        faults.append(
            f"missing {len(missing)} of {counted(len(expected), 'game')}: {listing(missing, shown=3)}; a "
            "game without predictions needs a file with an empty list"
        )
    return faults, oddities


def _across_games(findings: Sequence[tuple[str, Finding]]) -> str:
    """One line on a kind of finding in any number of games."""
    game, first = findings[0]
    total = sum(finding.count for _, finding in findings)
    in_games = f" in {counted(len(findings), 'game')}" if len(findings) > 1 else ""
    more = f" (and {total - 1:,} more of this kind{in_games})" if total > 1 else ""
    return f"{game}/{RESULTS_FILE}: {first.text}{more}"


def _rules(game: Game, classes: Collection[str], teams: bool | None, *, framerate: int) -> DocumentRules:
    """Rules for the document of one game; a game without videos may have either half."""
    lengths = {video.half: length_ms(video.path) if video.path.is_file() else None for video in game.videos}
    return DocumentRules(game.id, tuple(classes), lengths or dict.fromkeys(HALVES), teams, framerate)


def _unknown_lengths(games: Sequence[Game]) -> Iterator[str]:
    unknown = [game.id for game in games if not all(video.path.is_file() for video in game.videos)]
    unknown += [game.id for game in games if not game.videos]
    if unknown:
        halves = ", and halves only against 1 and 2" if any(not game.videos for game in games) else ""
        yield (
            f"no videos of {len(unknown)} of {counted(len(games), 'game')}, so positions are checked only "
            f"against 120 minutes{halves}: {listing(unknown, shown=3)}"
        )


def _message(archive: Path, faults: Sequence[str]) -> str:
    lines = [f"A server would refuse or misread {archive}:"]
    lines += [f"  {fault}" for fault in faults[:_MAX_LISTED_FAULTS]]
    if len(faults) > _MAX_LISTED_FAULTS:
        lines.append(f"  and {len(faults) - _MAX_LISTED_FAULTS:,} more")
    lines.append("Fix the predictions and pack them again; `bas submit RUN` does both.")
    return "\n".join(lines)
