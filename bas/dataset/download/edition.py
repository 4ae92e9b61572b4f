"""Download of one edition of SoccerNet's ball action matches: splits fetched, unpacked, verified and recorded.

The hidden folder `.download/<task>/` of the data folder keeps the archives until they are unpacked. A
record of each split lists the files unpacked from which archive.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from bas import console
from bas.dataset.dataset import open_dataset
from bas.dataset.download.archives import unpack
from bas.dataset.download.transfer import fetch_from_hugging_face
from bas.dataset.layouts import VideoSize
from bas.dataset.manifest import FileRecord, add_to_manifest
from bas.dataset.splits import ALL, SPLIT_NAMES, split_name
from bas.errors import DataError, MissingError, UnavailableError
from bas.files import locked, read_json, sha256_of, write_json
from bas.messages import counted, listing

Edition = Literal["2023", "2024", "2025"]
Fetch = Callable[[str, str, Path], None]
"""Fetches, or resumes fetching, the archive of a task and a split into `<folder>/<task>/<split>.zip`."""

PASSWORD_VARIABLE = "SOCCERNET_PASSWORD"  # noqa: S105 (its name alone)

_STATE_FOLDER = ".download"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def download(edition: Edition, *, split: str, data: Path, fetch: Fetch | None = None) -> None:
    """Fetch, verify and unpack one split of an edition, or all; existing files are kept.

    Args:
        edition: year of the challenge.
        split: train, valid (or val), test, challenge, or all.
        data: folder in which `england_efl/2019-2020/<match>/` is created.
        fetch: by default from Hugging Face through the SoccerNet package.

    Raises:
        AccessError: the account has no access to the data, or the password is wrong.
        UnavailableError: Hugging Face cannot be reached.
        DataError: an archive is damaged or malicious, or another file is in the way.
        MissingError: the split is unknown, or no password is given.
        OutputError: the disk is full.
        LockedError: another process is downloading to the folder.
    """
    task = f"spotting-ball-{edition}"
    name = split_name(split)
    with locked(data / _STATE_FOLDER / "lock", wait=False):
        for one in SPLIT_NAMES if name == ALL else (name,):
            _download_split(task, one, data=data, fetch=fetch or fetch_from_hugging_face)


def _download_split(task: str, split: str, *, data: Path, fetch: Fetch) -> None:
    folder = data / _STATE_FOLDER
    archive, record = folder / task / f"{split}.zip", folder / f"{task}-{split}.json"
    state = _read_state(record)
    if state["complete"] and all((data / name).is_file() for name in state["files"]):
        console.info(f"{split} of {task} is already in {data}. To fetch it again, delete {record}.")
        _print_changed_files(data, state["files"])
        return
    console.info(f"Fetching {split} of {task} from Hugging Face ...")
    fetch(task, split, folder)
    if not archive.is_file():
        raise UnavailableError(f"No {split}.zip of {task} on Hugging Face. Is the split published yet?")
    digest = _verified(archive)
    known = {name: FileRecord(**entry) for name, entry in state["files"].items()}
    files = dict(known) if state["archive_sha256"] == digest else {}
    _unpack(archive, record, data=data, digest=digest, known=known, files=files)
    add_to_manifest(data, files)
    write_json(record, _state(digest, files, complete=True))
    archive.unlink()  # everything in it is unpacked now
    size: VideoSize = "720p" if any("720p" in name for name in files) else "224p"
    games = open_dataset(data, video=size).split(split, need_videos=False)
    console.info(f"{split} of {task}: {counted(len(games), 'match')} in {data}. Next: bas doctor {data}")


def _print_changed_files(data: Path, recorded: dict[str, dict[str, Any]]) -> None:
    changed = [name for name, entry in recorded.items() if (data / name).stat().st_size != entry["bytes"]]
    if changed:
        console.info(
            f"Changed since the download, and kept: {listing(changed, shown=3)}. To restore a file, move it elsewhere "
            "and run the same command again."
        )


def _unpack(
    archive: Path,
    record: Path,
    *,
    data: Path,
    digest: str,
    known: dict[str, FileRecord],
    files: dict[str, FileRecord],
) -> None:
    """Unpack an archive, and record each file as soon as it is complete."""

    def done(name: str, entry: FileRecord) -> None:
        files[name] = entry
        write_json(record, _state(digest, files, complete=False))

    # Files from an earlier archive may be replaced, but their content may differ in this one: size -1 matches none.
    same = known if files else {name: FileRecord(-1, entry.sha256) for name, entry in known.items()}
    with console.progress(f"unpacking {archive.name}", archive.stat().st_size, unit="bytes") as advance:
        unpack(archive, data, password=_password, known=same, done=done, advance=advance)


def _password() -> str:
    password = os.environ.get(PASSWORD_VARIABLE) or console.prompt_secret(
        "Password of the SoccerNet agreement: "
    )
    if not password:
        raise MissingError(
            f"The archive needs the password of the SoccerNet agreement (NDA). Set {PASSWORD_VARIABLE}, or run this in a "
            "terminal to be asked for it. It is never an argument, because arguments are visible to all users."
        )
    return password


def _verified(archive: Path) -> str:
    """SHA-256 of an archive, compared with the one recorded by Hugging Face, if any.

    Raises:
        DataError: the hashes differ; the archive is removed.
    """
    metadata = archive.parent / ".cache" / "huggingface" / "download" / f"{archive.name}.metadata"
    lines = metadata.read_text().splitlines() if metadata.is_file() else []  # commit, entity tag, time
    expected = lines[1].strip() if len(lines) > 1 else ""
    digest = sha256_of(archive)
    if _SHA256.fullmatch(expected) and digest != expected:  # small files have another kind of entity tag
        archive.unlink()
        raise DataError(
            f"{archive} was damaged: its SHA-256 differs from that on Hugging Face. It has been removed; run the same "
            "command again to fetch it again."
        )
    return digest


def _state(archive_sha256: str, files: dict[str, FileRecord], *, complete: bool) -> dict[str, Any]:
    entries = {name: asdict(entry) for name, entry in files.items()}
    return {"archive_sha256": archive_sha256, "complete": complete, "files": entries}


def _read_state(record: Path) -> dict[str, Any]:
    if not record.is_file():
        return _state("", {}, complete=False)
    match read_json(record):
        case {"archive_sha256": str(), "complete": bool(), "files": dict(files)} as state:
            if all(isinstance(one, dict) and set(one) == {"bytes", "sha256"} for one in files.values()):
                return dict(state)
    raise DataError(
        f"{record} is damaged. Delete it and run the same command again; files that are there are kept."
    )
