"""SoccerNet's archives from Hugging Face: the package's own path, with a transfer before it that survives a kill."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bas.errors import AccessError, UnavailableError
from bas.files import output_error

_OF_THE_DISK = errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS
_CLIENTS = ("httpx", "httpx2", "requests", "urllib3", "huggingface_hub")
_NO_ACCESS = 401, 403, 404  # what is private is not found


def fetch_from_hugging_face(task: str, split: str, folder: Path) -> None:
    """Fetch `<folder>/<task>/<split>.zip`, or go on where an earlier call was cut or killed.

    Raises:
        AccessError: the account has no access.
        OutputError: the disk is full, or the folder may not be written.
        UnavailableError: Hugging Face cannot be reached, or does not have it.
    """
    from SoccerNet.Downloader import SoccerNetDownloader

    archive = folder / task / f"{split}.zip"
    with _told(task, archive):
        _go_on(_repository(task), archive)
        # The splits have to be a list: it walks a string letter by letter (SoccerNet 0.2.0). What is
        # there already it compares with the hub, by size and hash.
        SoccerNetDownloader(str(folder)).downloadDataTask(task, split=[split], source="HuggingFace")


def _go_on(repository: str, archive: Path) -> None:
    """Fetch an archive beside its name, from where it is; huggingface_hub 2 drops what a cut left."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    if archive.exists():
        return
    url = hf_hub_url(repository, archive.name, repo_type="dataset")
    try:
        found = get_hf_file_metadata(url)
    except EntryNotFoundError:  # said by whoever misses the archive
        return
    part = archive.with_name(f"{archive.stem}-{found.etag}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    if urlsplit(found.location).netloc != urlsplit(url).netloc:  # a store of theirs, which needs no token
        headers.pop("authorization", None)
    with part.open("ab") as file:
        if file.tell() != found.size:
            http_get(found.location, file, resume_size=file.tell(), headers=headers, expected_size=found.size)
    part.replace(archive)


def _repository(task: str) -> str:
    return f"SoccerNet/SN-BAS-{task[-4:]}"


@contextmanager
def _told(task: str, archive: Path) -> Iterator[None]:
    """Turn whatever the packages raise for a network, a refusal or a full disk into words."""
    try:
        yield
    except Exception as error:
        # huggingface_hub lets through what its client of the day raises, and wraps the rest in many ways.
        if not (type(error).__module__.split(".")[0] in _CLIENTS or isinstance(error, OSError)):
            raise
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise output_error(Path(error.filename or archive), error, size=0) from error
        repository, status = _repository(task), _status(error)
        if status in _NO_ACCESS:
            raise AccessError(
                f"Hugging Face does not give {repository} to you (HTTP {status}). Sign the agreement at "
                f"https://www.soccer-net.org/data, ask for access at https://huggingface.co/datasets/{repository}, log in "
                "once with `hf auth login`, and run the same command again."
            ) from error
        reason = f"HTTP {status}" if status else str(error).splitlines()[0]
        raise UnavailableError(
            f"Hugging Face did not give {archive.name} of {repository}: {reason}. Run the same command again: it goes on "
            "where it was."
        ) from error


def _status(error: BaseException | None) -> int | None:
    """Of the answer that is somewhere behind an error."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__ or error.__context__
    return None
