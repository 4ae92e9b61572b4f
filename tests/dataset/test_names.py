"""Names with accents are the same however their letters are stored; archives from a Mac store them decomposed."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from support.matches import annotation, touch, write_labels
from support.media import write_video

from bas.dataset import examine, open_dataset, read_manifest, write_manifest
from bas.errors import DataError

COMPOSED = unicodedata.normalize("NFC", "Málaga - Córdoba")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
BOTH = pytest.mark.parametrize(
    ("on_disk", "elsewhere"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)], ids=["disk NFD", "disk NFC"]
)


@BOTH
def test_splits_and_labels_name_a_video_in_another_normalization(
    tmp_path: Path, on_disk: str, elsewhere: str
) -> None:
    touch(tmp_path / "cup", f"{on_disk}.mp4")
    labels = write_labels(tmp_path / "cup" / f"{elsewhere}.json", [annotation()])
    (tmp_path / "splits.yaml").write_text(f"test: ['cup/{elsewhere}']\n")
    (game,) = open_dataset(tmp_path).split("test")
    assert game.id == f"cup/{COMPOSED}"
    assert game.videos[0].path == tmp_path / "cup" / f"{on_disk}.mp4"
    assert game.labels == labels


@BOTH
def test_a_list_names_a_video_and_its_folder_in_another_normalization(
    tmp_path: Path, on_disk: str, elsewhere: str
) -> None:
    touch(tmp_path / on_disk, f"{on_disk}.mkv")
    listed = {"video": f"{elsewhere}/{elsewhere}", "num_frames": 50, "events": [], "fps": 25.0}
    (tmp_path / "test.json").write_text(json.dumps([listed]))
    (game,) = open_dataset(tmp_path).split("test")
    assert game.videos[0].path == tmp_path / on_disk / f"{on_disk}.mkv"


@BOTH
def test_a_manifest_covers_files_in_another_normalization(
    tmp_path: Path, on_disk: str, elsewhere: str
) -> None:
    video = write_video(tmp_path / f"{elsewhere}.mp4", 10, size=(224, 128))
    write_manifest(tmp_path, [video])
    video.rename(tmp_path / f"{on_disk}.mp4")
    assert not [one for one in examine(tmp_path).findings if one.severity == "error"]
    assert list(read_manifest(tmp_path)) == [f"{COMPOSED}.mp4"]
    (tmp_path / f"{on_disk}.mp4").write_bytes(b"")
    with pytest.raises(DataError, match="0 bytes instead of"):
        open_dataset(tmp_path).split("all")


def test_two_files_whose_names_differ_only_in_normalization_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, f"{COMPOSED}.mp4", f"{DECOMPOSED}.mp4")
    with pytest.raises(DataError, match="would have the same game id"):
        open_dataset(tmp_path)
