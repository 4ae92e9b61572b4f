from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from support import media
from support.matches import touch

from bas.dataset import open_dataset, read_manifest, write_manifest
from bas.errors import DataError


def manifest_of(root: Path) -> None:
    write_manifest(root, [path for path in root.rglob("*") if path.is_file()])


def test_a_manifest_records_size_and_hash_of_each_file(tmp_path: Path) -> None:
    (touch(tmp_path, "cup/final.mkv") / "cup/final.mkv").write_bytes(b"abc")
    manifest_of(tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text()) == {
        "cup/final.mkv": {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    }
    assert read_manifest(tmp_path)["cup/final.mkv"].bytes == 3


@pytest.mark.fault("V02", "P02")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_transport_stream_is_detected(tmp_path: Path, share: float) -> None:
    path = media.write_video(tmp_path / "derby.ts", 100)
    manifest_of(tmp_path)
    assert len(open_dataset(tmp_path).split("all")) == 1
    size = path.stat().st_size
    media.truncate(path, share)
    with pytest.raises(DataError, match=rf"derby.ts has .* bytes instead of the {size:,}"):
        open_dataset(tmp_path).split("all")


def test_only_the_games_of_the_split_are_checked(tmp_path: Path) -> None:
    touch(tmp_path, "a.mkv", "b.mkv")
    (tmp_path / "splits.yaml").write_text("train: [a]\ntest: [b]\n")
    manifest_of(tmp_path)
    (tmp_path / "b.mkv").write_bytes(b"more")
    dataset = open_dataset(tmp_path)
    assert len(dataset.split("train")) == 1
    with pytest.raises(DataError, match=r"\(1\): .*b.mkv has 4 bytes instead of the 0"):
        dataset.split("test")


def test_files_not_in_the_manifest_are_not_checked(tmp_path: Path) -> None:
    touch(tmp_path, "a.mkv")
    manifest_of(tmp_path)
    touch(tmp_path, "b.mkv")
    assert len(open_dataset(tmp_path).split("all")) == 2


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"a.mkv": {"bytes": 1}},
        {"a.mkv": {"bytes": "1", "sha256": "0" * 64}},
        {"a.mkv": {"bytes": 1, "sha256": "0"}},
        {"/etc/passwd": {"bytes": 1, "sha256": "0" * 64}},
        {"../a.mkv": {"bytes": 1, "sha256": "0" * 64}},
    ],
)
def test_an_invalid_manifest_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="manifest.json"):
        read_manifest(tmp_path)
