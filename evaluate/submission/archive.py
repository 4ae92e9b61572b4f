"""Submission archives: one results_spotting.json per game, written only if a challenge server reads all of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bas import files
from bas.errors import OutputError
from bas.evaluate.formats.soccernet import RESULTS_FILE
from bas.evaluate.submission.check import check_submission
from bas.types import Game

# The earliest date in a zip; constant, so that the bytes depend only on the content.
_MEMBER_DATE = (1980, 1, 1, 0, 0, 0)


def write_submission(
    path: Path,
    documents: Mapping[str, bytes],
    games: Sequence[Game],
    classes: Collection[str],
    *,
    teams: bool | None = None,
) -> tuple[str, ...]:
    """Pack results_spotting.json of every game; the zip replaces `path` only after it has passed the check.

    Args:
        path: path of the zip; an existing file is replaced only by a valid one.
        documents: content of results_spotting.json by game.
        games, classes, teams: as in `check_submission`.

    Returns:
        The notes of `check_submission`.

    Raises:
        DataError: a server would refuse or misread the archive; no new file is left.
        OutputError: the archive cannot be written.
    """
    content, notes = pack(documents), list[str]()

    def check(draft: Path) -> None:
        notes.extend(check_submission(draft, games, classes, teams=teams, strict=True, shown_as=path))
        _require_same_content(draft, documents, path=path)

    files.publish(
        path,
        lambda descriptor: files.write_at(descriptor, content, 0),
        size=len(content),
        check=check,
    )
    return tuple(notes)


def pack(documents: Mapping[str, bytes]) -> bytes:
    """Bytes of a zip with `<game>/results_spotting.json`, sorted by game; deterministic in the documents."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for game, content in sorted(documents.items()):
            member = zipfile.ZipInfo(f"{game}/{RESULTS_FILE}", _MEMBER_DATE)
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return memory.getvalue()


def _require_same_content(draft: Path, documents: Mapping[str, bytes], *, path: Path) -> None:
    with zipfile.ZipFile(draft) as archive:
        if any(archive.read(f"{game}/{RESULTS_FILE}") != content for game, content in documents.items()):
            raise OutputError(
                f"{path} differs from what was written when read back. Check the disk, and run the same command "
                "again."
            )
