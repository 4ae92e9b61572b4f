"""Resumable transfer of archives from Hugging Face, by the SoccerNet package."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bas import console
from bas.errors import AccessError, UnavailableError
from bas.files import output_error

_DISK_ERRORS = errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS
_CLIENTS = ("httpx", "httpx2", "requests", "urllib3", "huggingface_hub")
_STEP_BYTES = 10 << 20  # a killed transfer loses less than this
_NO_ACCESS = 401, 403, 404  # private repositories are reported as not found


def fetch_from_hugging_face(task: str, split: str, folder: Path) -> None:
    """Fetch `<folder>/<task>/<split>.zip`, or resume where an earlier call was interrupted.

    Raises:
        AccessError: the account has no access.
        OutputError: the disk is full, or the folder is not writable.
        UnavailableError: Hugging Face cannot be reached, or does not have the file.
    """
    from SoccerNet.Downloader import SoccerNetDownloader

    archive = folder / task / f"{split}.zip"
    with _translated_errors(task, archive):
        _resume_transfer(_repository(task), archive)
        # The splits must be a list, because a string is iterated letter by letter (SoccerNet 0.2.0). Existing
        # files are compared with the hub by size and hash.
        SoccerNetDownloader(str(folder)).downloadDataTask(task, split=[split], source="HuggingFace")


def _resume_transfer(repository: str, archive: Path) -> None:
    """Fetch an archive step by step into a partial file, or resume that.

    The downloads of huggingface_hub 2 discard interrupted transfers. Its file system reads any range of a file, repeats
    failed requests, and follows redirects without handing the token to another server.
    """
    from huggingface_hub import HfFileSystem, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    if archive.exists():
        return
    try:
        found = get_hf_file_metadata(hf_hub_url(repository, archive.name, repo_type="dataset"))
    except EntryNotFoundError:  # the caller reports the missing archive
        return
    assert found.size is not None, found
    part = archive.with_name(f"{archive.stem}-{found.etag}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    remote = f"datasets/{repository}/{archive.name}"
    with (
        HfFileSystem().open(remote, revision=found.commit_hash, size=found.size, cache_type="none") as source,
        part.open("ab") as target,
        console.progress(f"fetching {archive.name}", found.size, unit="bytes") as advance,
    ):
        source.seek(target.tell())
        advance(target.tell())
        while content := source.read(_STEP_BYTES):
            target.write(content)
            target.flush()
            advance(len(content))
        if target.tell() != found.size:
            raise UnavailableError(
                f"Hugging Face broke off {archive.name} of {repository} after {target.tell():,} of {found.size:,} bytes. "
                "Run the same command again: it resumes."
            )
    part.replace(archive)


def _repository(task: str) -> str:
    return f"SoccerNet/SN-BAS-{task[-4:]}"


@contextmanager
def _translated_errors(task: str, archive: Path) -> Iterator[None]:
    """Translate errors of the packages about network, access or disk into errors of ours."""
    try:
        yield
    except Exception as error:
        # huggingface_hub passes on errors of its HTTP client, which differs by version, and wraps others in many ways.
        if not (type(error).__module__.split(".")[0] in _CLIENTS or isinstance(error, OSError)):
            raise
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise output_error(Path(error.filename or archive), error, size=0) from error
        repository, status = _repository(task), _status(error)
        if status in _NO_ACCESS:
            raise AccessError(
                f"No access to {repository} on Hugging Face (HTTP {status}). Sign the agreement at "
                f"https://www.soccer-net.org/data, request access at https://huggingface.co/datasets/{repository}, log in "
                "once with `hf auth login`, and run the same command again."
            ) from error
        reason = f"HTTP {status}" if status else str(error).splitlines()[0]
        raise UnavailableError(
            f"Cannot download {archive.name} of {repository} from Hugging Face: {reason}. Run the same command again to "
            "resume."
        ) from error


def _status(error: BaseException | None) -> int | None:
    """HTTP status of the response in the chain of an error's causes; None if there is none."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__ or error.__context__
    return None
