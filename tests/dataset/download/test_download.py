"""Download from a local server in place of Hugging Face with the real packages, and unpacking of malicious archives."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyzipper
from support import GOLDEN, hub
from support.matches import annotation

from bas.dataset import examine, open_dataset, read_manifest
from bas.dataset.download.archives import unpack
from bas.dataset.download.edition import download
from bas.errors import AccessError, BasError, DataError, MissingError, UnavailableError

PASSWORD = "canary-7391"
VALID = "england_efl/2019-2020/2019-10-01 - Middlesbrough - Preston North End"
_BIG = os.urandom(12 << 20)  # archives are fetched in steps of 10 MiB


def contents(game: str = VALID, *, around: str = "") -> dict[str, bytes]:
    labels = {"UrlLocal": game, "annotations": [annotation()]}
    return {
        f"{around}{game}/224p.mp4": _BIG,
        f"{around}{game}/Labels-ball.json": json.dumps(labels).encode(),
        "__MACOSX/._224p.mp4": b"",
    }


def plain(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


def encrypted(files: dict[str, bytes], password: str = PASSWORD) -> bytes:
    memory = io.BytesIO()
    with pyzipper.AESZipFile(memory, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(password.encode())
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


@pytest.fixture
def server() -> Iterator[hub.Hub]:
    with hub.serve({"valid.zip": encrypted(contents()), "test.zip": b"not asked for"}) as running:
        yield running


def command(server: hub.Hub, folder: Path, **environment: str) -> tuple[list[str], dict[str, Any]]:
    """`bas download 2025 --split valid`, with the real SoccerNet package and huggingface_hub."""
    arguments = ["download", "2025", "--split", "valid", "--data", "data"]
    variables = {
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "SOCCERNET_PASSWORD": PASSWORD,
    }
    return [sys.executable, "-m", "bas", *arguments], {
        "cwd": folder,
        "env": {**os.environ, **variables, **environment},
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }


def bas(server: hub.Hub, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments, options = command(server, folder, **environment)
    return subprocess.run(arguments, check=False, **options)


def assert_complete(data: Path) -> None:
    dataset = open_dataset(data, video="224p")
    (game,) = dataset.split("valid")
    assert game.id == VALID
    assert game.videos[0].path.read_bytes() == _BIG
    assert set(read_manifest(data)) == {f"{VALID}/224p.mp4", f"{VALID}/Labels-ball.json"}
    assert not list(data.rglob("*.zip"))
    assert not list(data.rglob("*.tmp.*"))


@pytest.mark.fault("S09")
def test_an_interrupted_download_resumes(tmp_path: Path, server: hub.Hub) -> None:
    server.truncate_after = 11 << 20
    result = bas(server, tmp_path)
    assert result.returncode == 0, result.stderr
    assert "1 match in data" in result.stderr
    assert server.truncate_after is None
    assert any(first > 0 for first in server.ranges), server.ranges
    assert_complete(tmp_path / "data")
    asked = len(server.ranges)
    assert "is already in data" in bas(server, tmp_path).stderr
    assert len(server.ranges) == asked


@pytest.mark.fault("S09")
def test_a_killed_download_resumes(tmp_path: Path, server: hub.Hub) -> None:
    server.truncate_after, server.hang = 11 << 20, True
    arguments, options = command(server, tmp_path)
    started = subprocess.Popen(arguments, **options)
    while not any(path.stat().st_size >= 10 << 20 for path in tmp_path.rglob("*.part")):
        assert started.poll() is None, started.communicate()
        time.sleep(0.05)
    started.kill()
    started.communicate()
    server.truncate_after, server.hang = None, False
    assert bas(server, tmp_path).returncode == 0
    assert server.ranges[-1] >= 10 << 20
    assert_complete(tmp_path / "data")


@pytest.mark.fault("S08", "P30")
def test_the_password_is_never_printed_or_stored(tmp_path: Path, server: hub.Hub) -> None:
    wrong = "another-canary-55"
    result = bas(server, tmp_path, SOCCERNET_PASSWORD=wrong)
    assert result.returncode == 77
    assert "Wrong password for valid.zip" in " ".join(result.stderr.split())
    assert bas(server, tmp_path).returncode == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".mp4"]
    printed = result.stderr + result.stdout + "".join(path.read_bytes().decode("latin-1") for path in written)
    assert wrong not in printed
    assert PASSWORD not in printed


_WATCHED = """
import sys
with open("hosts", "w") as hosts:
    def note(event, arguments):
        match event, arguments:
            case ("socket.getaddrinfo", (host, *_)) | ("socket.connect", (_, (host, *_))):
                print(host, file=hosts, flush=True)
    sys.addaudithook(note)
    from bas.cli import main
    main()
"""


@pytest.mark.fault("S10")
def test_no_host_but_the_hub_is_contacted(tmp_path: Path, server: hub.Hub) -> None:
    (python, _, _, *arguments), options = command(server, tmp_path)
    result = subprocess.run([python, "-c", _WATCHED, *arguments], check=False, **options)
    assert result.returncode == 0, result.stderr
    assert set((tmp_path / "hosts").read_text().split()) == {"127.0.0.1"}


def test_a_missing_password_is_an_error_without_a_terminal(tmp_path: Path, server: hub.Hub) -> None:
    result = bas(server, tmp_path, SOCCERNET_PASSWORD="")
    assert result.returncode == 66
    assert "Set SOCCERNET_PASSWORD, or run this in a terminal" in " ".join(result.stderr.split())


@pytest.mark.fault("S09")
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, 77, "request access at https://huggingface.co/datasets/SoccerNet/SN-BAS-2025"),
        (403, 77, "request access"),
        (404, 77, "request access"),
        (500, 69, "Run the same command again"),
    ],
)
def test_http_errors_are_distinguished(
    tmp_path: Path, server: hub.Hub, status: int, code: int, words: str
) -> None:
    server.status = status
    result = bas(server, tmp_path)
    assert result.returncode == code, result.stderr
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


@pytest.mark.fault("S09")
def test_a_missing_network_has_its_own_exit_code(tmp_path: Path, server: hub.Hub) -> None:
    server.address = "http://127.0.0.1:9"
    result = bas(server, tmp_path)
    assert result.returncode == 69, result.stderr
    assert "Traceback" not in result.stderr


def test_a_full_disk_is_not_blamed_on_the_network(tmp_path: Path, server: hub.Hub) -> None:
    digest = hashlib.sha256(server.files["valid.zip"]).hexdigest()
    part = tmp_path / "data" / ".download" / "spotting-ball-2025" / f"valid-{digest}.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    result = bas(server, tmp_path)
    assert result.returncode == 74, result.stderr
    printed = " ".join(result.stderr.split())
    assert re.search(r"Cannot write .*: No space left on device", printed)
    assert "Cannot download" not in printed


@pytest.mark.fault("S09")
def test_an_archive_with_another_hash_than_on_the_hub_is_refused(tmp_path: Path, server: hub.Hub) -> None:
    server.corrupt = True
    result = bas(server, tmp_path)
    assert result.returncode == 65, result.stderr
    assert "its SHA-256 differs from that on Hugging Face" in " ".join(result.stderr.split())
    server.corrupt = False
    assert bas(server, tmp_path).returncode == 0
    assert_complete(tmp_path / "data")


def test_an_unpublished_split_is_reported(tmp_path: Path, server: hub.Hub) -> None:
    del server.files["valid.zip"]
    result = bas(server, tmp_path)
    assert result.returncode == 69, result.stderr
    assert "No valid.zip of" in " ".join(result.stderr.split())


class Local:
    """Fetches from memory, and counts its calls."""

    def __init__(self, archive: bytes) -> None:
        self.archive, self.calls = archive, 0

    def __call__(self, task: str, split: str, folder: Path) -> None:
        self.calls += 1
        (folder / task).mkdir(parents=True, exist_ok=True)
        (folder / task / f"{split}.zip").write_bytes(self.archive)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCCERNET_PASSWORD", PASSWORD)


@pytest.mark.parametrize("pack", [plain, encrypted])
@pytest.mark.parametrize("around", ["", "train/"])
def test_plain_and_encrypted_archives_are_unpacked_at_the_league_folder(
    tmp_path: Path, pack: Any, around: str
) -> None:
    fetch = Local(pack(contents(around=around)))
    download("2024", split="val", data=tmp_path, fetch=fetch)
    assert_complete(tmp_path)
    download("2024", split="valid", data=tmp_path, fetch=fetch)
    assert fetch.calls == 1
    messages = [one.message for one in examine(tmp_path, video="224p").findings]
    assert not any("manifest" in message for message in messages)


def test_old_zip_encryption_is_read(tmp_path: Path) -> None:
    """ZipCrypto, made by Info-ZIP: `zip -P canary-7391 old.zip a.txt`."""
    old = bytes.fromhex((GOLDEN / "zipcrypto.hex").read_text().replace("\n", ""))
    (tmp_path / "old.zip").write_bytes(old)
    found: dict[str, Any] = {}
    unpack(
        tmp_path / "old.zip",
        tmp_path / "out",
        password=lambda: PASSWORD,
        known={},
        done=lambda name, entry: found.update({name: entry}),
        advance=lambda _: None,
    )
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"hello\n" * 20
    assert list(found) == ["a.txt"]


def test_a_stopped_unpacking_keeps_finished_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = Local(plain(contents()))

    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("bas.dataset.download.edition.add_to_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            download("2025", split="valid", data=tmp_path, fetch=fetch)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("224p.mp4")}
    download("2025", split="valid", data=tmp_path, fetch=fetch)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert_complete(tmp_path)


def test_a_newer_archive_replaces_unchanged_files_of_an_older_one(tmp_path: Path) -> None:
    download("2025", split="valid", data=tmp_path, fetch=Local(plain(contents())))
    record = tmp_path / ".download" / "spotting-ball-2025-valid.json"
    state = json.loads(record.read_text())
    record.write_text(json.dumps(state | {"complete": False}))
    newer = contents() | {f"{VALID}/Labels-ball.json": json.dumps({"annotations": []}).encode()}
    download("2025", split="valid", data=tmp_path, fetch=Local(plain(newer)))
    assert json.loads((tmp_path / VALID / "Labels-ball.json").read_text()) == {"annotations": []}


def test_files_of_the_user_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / VALID).mkdir(parents=True)
    (tmp_path / VALID / "224p.mp4").write_bytes(_BIG)
    mine = tmp_path / VALID / "Labels-ball.json"
    mine.write_text("mine")
    fetch = Local(plain(contents()))
    with pytest.raises(DataError, match=r"Labels-ball\.json is in the way"):
        download("2025", split="valid", data=tmp_path, fetch=fetch)
    assert mine.read_text() == "mine"
    mine.unlink()
    download("2025", split="valid", data=tmp_path, fetch=fetch)
    assert_complete(tmp_path)


def test_corrected_labels_are_neither_fetched_again_nor_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch = Local(plain(contents()))
    download("2025", split="valid", data=tmp_path, fetch=fetch)
    mine = tmp_path / VALID / "Labels-ball.json"
    mine.write_text("corrected")
    download("2025", split="valid", data=tmp_path, fetch=fetch)
    assert fetch.calls == 1
    assert "Labels-ball.json" in capsys.readouterr().err.partition("Changed since the download")[2]
    (tmp_path / VALID / "224p.mp4").unlink()
    newer = contents() | {f"{VALID}/Labels-ball.json": json.dumps({"annotations": []}).encode()}
    for archive in (plain(contents()), plain(newer)):
        with pytest.raises(DataError, match=r"Labels-ball\.json is in the way"):
            download("2025", split="valid", data=tmp_path, fetch=Local(archive))
        assert mine.read_text() == "corrected"
        (tmp_path / VALID / "224p.mp4").unlink()


def _zip(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            archive.writestr(info, content)
    return memory.getvalue()


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("england_efl/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def _raw_name(name: str) -> bytes:
    placeholder = "x" * len(name)
    return _zip((placeholder, b"x")).replace(placeholder.encode(), name.encode())


MALICIOUS = {
    "upwards": (_raw_name("../../escaped.txt"), "leads out of it"),
    "absolute": (_raw_name("/tmp/escaped.txt"), "leads out of it"),
    "drive": (_raw_name("C:/escaped.txt"), "leads out of it"),
    "backslashes": (_raw_name("..\\escaped.txt"), "leads out of it"),
    "link": (_zip((_link(), b"/etc")), "is a link or a device"),
    "bomb": (_zip(("england_efl/bomb", bytes(30 << 20))), "declares 31,457,280 bytes, compressed to"),
    "cut": (plain(contents())[:-100], "is not a valid zip archive"),
    "nothing": (b"", "is not a valid zip archive"),
}


@pytest.mark.parametrize(
    "fault",
    [
        *(pytest.param(one, marks=pytest.mark.fault("S06")) for one in MALICIOUS if one != "bomb"),
        pytest.param("bomb", marks=pytest.mark.fault("S07")),
    ],
)
def test_a_malicious_archive_writes_nothing(tmp_path: Path, fault: str) -> None:
    archive, words = MALICIOUS[fault]
    with pytest.raises(DataError, match=words):
        download("2025", split="valid", data=tmp_path / "deep" / "data", fetch=Local(archive))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and ".download" not in path.parts]
    assert files == []


@pytest.mark.fault("S06")
def test_nothing_is_written_through_a_symbolic_link(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    data.mkdir()
    outside.mkdir()
    (data / "england_efl").symlink_to(outside)
    with pytest.raises(DataError, match="through a symbolic link there"):
        download("2025", split="valid", data=data, fetch=Local(plain(contents())))
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("pack", [plain, encrypted])
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_archive_is_refused_without_writing_wrong_files(
    tmp_path: Path, pack: Any, seed: int
) -> None:
    content = bytearray(pack(contents()))
    for offset in range(1000 + 37 * seed, 12 << 20, 3_000_007):
        content[offset] ^= 0xFF
    with pytest.raises(BasError) as caught:
        download("2025", split="valid", data=tmp_path, fetch=Local(bytes(content)))
    assert isinstance(caught.value, DataError | AccessError)
    assert all(path.read_bytes() == _BIG for path in tmp_path.rglob("224p.mp4"))


def test_an_unknown_split_or_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Unknown split 'trian'"):
        download("2025", split="trian", data=tmp_path, fetch=Local(b""))
    with pytest.raises(UnavailableError, match=r"No valid\.zip of"):
        download("2025", split="valid", data=tmp_path, fetch=lambda *_: None)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        "{}",
        '{"archive_sha256": "", "complete": true, "files": []}',
        '{"archive_sha256": "", "complete": true, "files": {"a": 1}}',
    ],
)
def test_a_damaged_record_of_a_download_is_named_with_a_remedy(tmp_path: Path, text: str) -> None:
    record = tmp_path / ".download" / "spotting-ball-2025-valid.json"
    record.parent.mkdir()
    record.write_text(text)
    with pytest.raises(
        DataError, match=f"{record.name} is damaged. Delete it and run the same command again"
    ):
        download("2025", split="valid", data=tmp_path, fetch=Local(plain(contents())))
    record.unlink()
    download("2025", split="valid", data=tmp_path, fetch=Local(plain(contents())))
    assert_complete(tmp_path)
