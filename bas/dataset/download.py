"""SoccerNet's ball action matches: fetched from Hugging Face, verified, unpacked, and never fetched twice.

Hidden in the data folder, `.download/<task>/` keeps the archives until they are unpacked, and a
record of each split: what was unpacked of which archive.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from bas import console
from bas.dataset.archives import unpack
from bas.dataset.dataset import open_dataset
from bas.dataset.games import listing
from bas.dataset.hugging_face import fetch_from_hugging_face
from bas.dataset.manifest import Entry, add_to_manifest
from bas.dataset.splits import ALL, SPLIT_NAMES, split_name
from bas.errors import DataError, MissingError, UnavailableError
from bas.files import locked, read_json, sha256_of, write_json

Edition = Literal["2023", "2024", "2025"]
Fetch = Callable[[str, str, Path], None]
"""Fetches the archive of a task and a split into `<folder>/<task>/<split>.zip`, or goes on doing so."""

PASSWORD_VARIABLE = "SOCCERNET_PASSWORD"  # noqa: S105 (its name alone)

_STATE_FOLDER = ".download"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def download(edition: Edition, *, split: str, data: Path, fetch: Fetch | None = None) -> None:
    """Fetch, verify and unpack one split of an edition, or `all`; what is there is left alone.

    Args:
        edition: year of the challenge.
        split: train, valid (or val), test, challenge, or all.
        data: folder that takes `england_efl/2019-2020/<match>/`.
        fetch: by default the SoccerNet package's Hugging Face path.

    Raises:
        AccessError: Hugging Face or the archive does not open to this account or password.
        UnavailableError: Hugging Face cannot be reached.
        DataError: an archive is damaged or hostile, or another file is in the way.
        MissingError: there is no such split, or no password.
        OutputError: the disk is full.
        LockedError: another process is filling the folder.
    """
    task = f"spotting-ball-{edition}"
    name = split_name(split)
    if name not in (*SPLIT_NAMES, ALL):
        raise MissingError(f"There is no split {split!r}. There are {', '.join((*SPLIT_NAMES, ALL))}.")
    with locked(data / _STATE_FOLDER / "lock", wait=False):
        for one in SPLIT_NAMES if name == ALL else (name,):
            _download_split(task, one, data=data, fetch=fetch or fetch_from_hugging_face)


def _download_split(task: str, split: str, *, data: Path, fetch: Fetch) -> None:
    folder = data / _STATE_FOLDER
    archive, record = folder / task / f"{split}.zip", folder / f"{task}-{split}.json"
    state = _read_state(record)
    if state["complete"] and all((data / name).is_file() for name in state["files"]):
        console.say(f"{split} of {task} is in {data} already. To fetch it anew, delete {record}.")
        _tell_changed(data, state["files"])
        return
    console.say(f"Fetching {split} of {task} from Hugging Face ...")
    fetch(task, split, folder)
    if not archive.is_file():
        raise UnavailableError(f"Hugging Face has no {split}.zip of {task}. Is that split published yet?")
    digest = _verified(archive)
    known = {name: Entry(**entry) for name, entry in state["files"].items()}
    files = dict(known) if state["archive_sha256"] == digest else {}
    _unpack(archive, record, data=data, digest=digest, known=known, files=files)
    add_to_manifest(data, files)
    write_json(record, _state(digest, files, complete=True))
    archive.unlink()  # it holds what now lies unpacked beside it
    games = open_dataset(data, video=_any_size(files)).split(split, need_videos=False)
    console.say(f"{split} of {task}: {len(games)} matches in {data}. Next: bas doctor {data}")


def _tell_changed(data: Path, recorded: dict[str, dict[str, Any]]) -> None:
    changed = [name for name, entry in recorded.items() if (data / name).stat().st_size != entry["bytes"]]
    if changed:
        console.say(
            f"Changed since then, and left as they are: {listing(changed, shown=3)}. To have one back as it was, "
            "move it elsewhere and run the same command again."
        )


def _unpack(
    archive: Path, record: Path, *, data: Path, digest: str, known: dict[str, Entry], files: dict[str, Entry]
) -> None:
    """Unpack an archive, recording every file as soon as it is there."""

    def done(name: str, entry: Entry) -> None:
        files[name] = entry
        write_json(record, _state(digest, files, complete=False))

    # What an earlier archive left is known to be ours, but not to be what this one holds.
    same = known if files else {name: Entry(-1, entry.sha256) for name, entry in known.items()}
    with console.progress(f"unpacking {archive.name}", archive.stat().st_size, unit="bytes") as advance:
        unpack(archive, data, password=_password, known=same, done=done, advance=advance)


def _password() -> str:
    password = os.environ.get(PASSWORD_VARIABLE) or console.ask_secret(
        "Password of the SoccerNet agreement: "
    )
    if not password:
        raise MissingError(
            f"The archive needs the password of the SoccerNet agreement (NDA). Set {PASSWORD_VARIABLE}, or run this at a "
            "terminal, which asks for it; it is never an argument, for those are visible to everyone on the machine."
        )
    return password


def _verified(archive: Path) -> str:
    """SHA-256 of an archive, which is what Hugging Face has noted for it, where that is noted.

    Raises:
        DataError: it is another one; the archive is removed.
    """
    note = archive.parent / ".cache" / "huggingface" / "download" / f"{archive.name}.metadata"
    lines = note.read_text().splitlines() if note.is_file() else []  # commit, entity tag, time
    wanted = lines[1].strip() if len(lines) > 1 else ""
    digest = sha256_of(archive)
    if _SHA256.fullmatch(wanted) and digest != wanted:
        archive.unlink()
        raise DataError(
            f"{archive} is damaged: its SHA-256 is not the one that Hugging Face notes. It is removed; run the same "
            "command again to fetch it anew."
        )
    return digest


def _state(archive_sha256: str, files: dict[str, Entry], *, complete: bool) -> dict[str, Any]:
    entries = {name: asdict(entry) for name, entry in files.items()}
    return {"archive_sha256": archive_sha256, "complete": complete, "files": entries}


def _read_state(record: Path) -> dict[str, Any]:
    state: dict[str, Any] = read_json(record) if record.is_file() else _state("", {}, complete=False)
    return state


def _any_size(files: Sequence[str] | dict[str, Entry]) -> Literal["720p", "224p"]:
    return "720p" if any("720p" in name for name in files) else "224p"
