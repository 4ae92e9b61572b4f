"""Predictions and labels from strangers: small inputs cost little, and damage is one message."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import struct
import zipfile
from pathlib import Path

import pytest
from support.killing import in_child

from bas.errors import BasError, DataError
from bas.evaluate.formats.soccernet import RESULTS_FILE, read_results
from bas.evaluate.submission.check import check_submission
from bas.types import Game

_GAME = Game("game", (), None)
_DOCUMENT = '{"UrlLocal": "game", "predictions": []}'


def _pack(path: Path, content: str = _DOCUMENT, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(f"game/{RESULTS_FILE}", content)
    return path


def _refused(path: Path, reason: str) -> None:
    """Hold both readers of archives to one short message."""
    with pytest.raises(DataError, match=reason):
        read_results(path)
    with pytest.raises(DataError, match=reason):
        check_submission(path, [_GAME], ["PASS"])


@pytest.mark.fault("S07")
def test_a_zip_of_one_document_of_empty_lists_is_refused_at_once(tmp_path: Path) -> None:
    bomb = _pack(tmp_path / "a.zip", '{"predictions": [' + "[]," * 20_000_000 + "[]]}")
    assert bomb.stat().st_size < 100_000

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        _refused(bomb, "declares 60,000,021 bytes, compressed to .*unlike any document")

    assert in_child(work) == 0


@pytest.mark.fault("S07", "L10")
@pytest.mark.parametrize("unit", ["[],", "{},", "0,", '"a",'])
def test_a_document_of_millions_of_small_values_is_refused_before_it_is_parsed(
    tmp_path: Path, unit: str
) -> None:
    path = tmp_path / RESULTS_FILE
    path.write_text('{"predictions": [' + unit * 11_000_000 + "1]}")

    def work() -> None:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        with pytest.raises(DataError, match=f"{RESULTS_FILE} holds .* values. Expected at most"):
            read_results(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - used < 2

    assert in_child(work) == 0


@pytest.mark.fault("S05")
@pytest.mark.parametrize("kind", ["pipe", "device", "pipe in a folder"])
def test_a_pipe_or_an_endless_device_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "given"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            (path / "game").mkdir(parents=True)
            os.mkfifo(path / "game" / RESULTS_FILE)
    with pytest.raises(DataError, match="is a (named pipe|device or socket). Expected a regular file"):
        read_results(path)


def test_links_into_a_folder_above_end(tmp_path: Path) -> None:
    (tmp_path / "game").mkdir()
    (tmp_path / "game" / RESULTS_FILE).write_text(_DOCUMENT)
    for name in ("one", "two", "three"):
        (tmp_path / "game" / name).symlink_to(tmp_path)
    assert list(read_results(tmp_path)) == ["game"]


def test_a_linked_game_is_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / RESULTS_FILE).write_text(_DOCUMENT)
    (tmp_path / "results").mkdir()
    for name in ("one", "two"):
        (tmp_path / "results" / name).symlink_to(tmp_path / "elsewhere")
    assert sorted(read_results(tmp_path / "results")) == ["one", "two"]


@pytest.mark.fault("S07")
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_of_any_compression_is_named(tmp_path: Path, compression: int) -> None:
    path = _pack(tmp_path / "a.zip", json.dumps({"predictions": [{"x": i} for i in range(500)]}), compression)
    content = bytearray(path.read_bytes())
    for position in range(60, 120):
        content[position] ^= 0xA5
    path.write_bytes(content)
    _refused(path, "damaged")


def test_a_name_that_is_not_utf8_is_damage(tmp_path: Path) -> None:
    path = _pack(tmp_path / "a.zip")
    content = path.read_bytes().replace(b"game/", b"\xff\xfe\xfd\xfc/")
    at = content.index(b"PK\x01\x02") + 8  # the flags of the member in the central directory
    (flags,) = struct.unpack_from("<H", content, at)
    path.write_bytes(content[:at] + struct.pack("<H", flags | 0x800) + content[at + 2 :])
    _refused(path, "damaged")


def test_an_offset_before_the_file_is_damage(tmp_path: Path) -> None:
    path = _pack(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    (start,) = struct.unpack_from("<I", content, end + 16)
    struct.pack_into("<I", content, end + 16, start + 5000)  # moves every member 5000 bytes before the file
    path.write_bytes(content)
    _refused(path, "damaged|not a zip")


@pytest.mark.fault("L11")
@pytest.mark.parametrize(
    "value", ["1" + "0" * 400, "-1" + "0" * 400, "1e999", '"1e999"', '"' + "9" * 5000 + '"']
)
@pytest.mark.parametrize("key", ["confidence", "position", "half"])
def test_a_number_beyond_all_floats_is_read_or_refused(tmp_path: Path, key: str, value: str) -> None:
    entry = {"label": '"PASS"', "position": "0", "half": "1", "confidence": "0.5", key: value}
    fields = ", ".join(f'"{name}": {text}' for name, text in entry.items())
    content = '{"UrlLocal": "game", "predictions": [{' + fields + "}]}"
    for read in (read_results, lambda path: check_submission(path, [_GAME], ["PASS"], strict=True)):
        with contextlib.suppress(BasError):  # anything else is a traceback
            read(_pack(tmp_path / "a.zip", content))
