"""Data folders of synthetic matches: layouts, reproducible bytes, file contents, and repeated calls."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import av
import pytest
import yaml
from av.video.frame import PictureType

from bas.dataset import labels_of, open_dataset
from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.dataset.manifest import read_manifest
from bas.errors import OutputError, SettingsError
from bas.synthetic import LayoutName, synthesize
from bas.synthetic.files.layouts import split_games

_SMALL: dict[str, Any] = {"matches": 1, "minutes": 0.2, "size": "64x36", "profile": "even", "processes": 2}


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "data"
    synthesize(out, **_SMALL)
    return out


def test_the_same_call_gives_the_same_bytes_for_any_number_of_processes(folder: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "again", **(_SMALL | {"processes": 1}))
    assert _hashes(tmp_path / "again") == _hashes(folder)


def test_another_seed_gives_another_match(folder: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "other", **_SMALL, seed=1)
    assert not set(_hashes(tmp_path / "other").values()) & {
        digest for name, digest in _hashes(folder).items() if name.endswith(("mp4", "Labels-ball.json"))
    }


@pytest.mark.parametrize(
    ("layout", "classes"),
    [
        ("bas-2025", BALL_CLASSES),
        ("bas-2024", BALL_CLASSES),
        ("bas-2023", BALL_CLASSES_2023),
        ("soccernet-v2", SOCCERNET_V2_CLASSES),
        ("folder", BALL_CLASSES),
    ],
)
def test_every_layout_is_recognized_and_its_labels_lie_inside_its_videos(
    layout: LayoutName, classes: tuple[str, ...], tmp_path: Path
) -> None:
    games = synthesize(tmp_path / "data", **_SMALL, layout=layout)
    dataset = open_dataset(tmp_path / "data", video="224p")
    assert tuple(game.id for game in dataset.games) == games
    (game,) = dataset.games
    assert all(video.path.is_file() for video in game.videos)
    assert len(game.videos) == (2 if layout in ("bas-2023", "soccernet-v2") else 1)
    labels = labels_of(game, classes)
    assert labels.warnings == ()
    assert len(labels.spots) >= (2 if layout in ("bas-2023", "soccernet-v2") else 4)
    assert labels.team_words == ("left/right" if layout in ("bas-2025", "folder") else "home/away")


def test_all_layouts_are_tested() -> None:
    assert set(get_args(LayoutName)) == {"bas-2025", "bas-2024", "bas-2023", "soccernet-v2", "folder"}


def test_positions_are_strings_of_whole_frames_and_no_two_are_equal(folder: Path) -> None:
    (path,) = folder.rglob("Labels-ball.json")
    document = json.loads(path.read_text())
    positions = [entry["position"] for entry in document["annotations"]]
    assert len(set(positions)) == len(positions)
    assert all(isinstance(position, str) and int(position) % 40 == 0 for position in positions)
    assert {entry["visibility"] for entry in document["annotations"]} == {"visible"}
    assert document["UrlLocal"] == path.parent.relative_to(folder).as_posix()


def test_the_video_is_h264_at_25_fps_with_b_frames_and_a_keyframe_every_two_seconds(folder: Path) -> None:
    (path,) = folder.rglob("*.mp4")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ("h264", Fraction(25))
        assert (stream.width, stream.height, stream.pix_fmt) == (64, 36, "yuv420p")
        pictures = list(container.decode(stream))
        times = [Fraction(picture.pts or 0) * (picture.time_base or 0) for picture in pictures]
        assert stream.codec_context.color_range == 1  # limited
    assert times == [Fraction(i, 25) for i in range(300)]
    assert any(picture.pict_type == PictureType.B for picture in pictures)
    keyframes = [i for i, picture in enumerate(pictures) if picture.key_frame]
    assert max(b - a for a, b in zip(keyframes, [*keyframes[1:], 300], strict=True)) <= 50
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")


def test_the_manifest_names_every_video_and_label_file(folder: Path) -> None:
    hashes = _hashes(folder)
    manifest = read_manifest(folder)
    assert {name: entry.sha256 for name, entry in manifest.items()} == {
        name: digest for name, digest in hashes.items() if name.startswith("synthetic_league/")
    }


@pytest.mark.parametrize(
    ("matches", "sizes"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (6, (3, 1, 2)), (12, (6, 2, 4))]
)
def test_splits_are_about_three_to_one_to_two(matches: int, sizes: tuple[int, int, int]) -> None:
    games = tuple(f"game {i}" for i in range(matches))
    splits = split_games(games)
    assert tuple(len(splits.get(name, [])) for name in ("train", "valid", "test")) == sizes
    assert [game for split in splits.values() for game in split] == list(games)


def test_splits_are_written_for_the_dataset(folder: Path) -> None:
    assert list(yaml.safe_load((folder / "splits.yaml").read_text())) == ["train"]
    assert len(open_dataset(folder, video="224p").split("train")) == 1


def test_a_second_call_changes_nothing_and_a_third_restores_missing_files(
    folder: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(folder, tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    synthesize(out, **_SMALL)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (video,) = out.rglob("*.mp4")
    video.unlink()
    synthesize(out, **_SMALL)
    assert _hashes(out) == _hashes(folder)


def test_a_killed_run_leaves_no_partial_video_and_the_same_call_finishes_it(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    code = (
        "import sys; from pathlib import Path; from bas.synthetic import synthesize; "
        f"synthesize(Path(sys.argv[1]), **{_SMALL!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(out)], start_new_session=True)
    deadline = time.monotonic() + 120
    while not any(out.rglob("*.mp4.tmp.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(out.rglob("*.mp4"))
    while _is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(process.pid)
    synthesize(out, **_SMALL)
    assert _hashes(out) == _hashes(folder)


def _is_alive(group: int) -> bool:
    """Return whether any process of a group is left, including workers of a killed parent."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_folder_left_by_a_run_killed_at_its_start_is_accepted(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    out.mkdir()
    (out / "synthetic.json.tmp.0123456789abcdef").touch()
    synthesize(out, **_SMALL)
    assert _hashes(out) == _hashes(folder)


def test_a_folder_with_other_data_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("sun")
    with pytest.raises(OutputError, match="not an empty folder.*Choose another folder"):
        synthesize(tmp_path, **_SMALL)
    with pytest.raises(OutputError, match=r"with other settings .*seed 0; requested: .*seed 9"):
        synthesize(folder, **_SMALL, seed=9)


@pytest.mark.parametrize("size", ["225x128", "big", "10x10"])
def test_a_size_that_cannot_be_rendered_is_refused(size: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="even numbers"):
        synthesize(tmp_path / "data", **(_SMALL | {"size": size}))
    assert not (tmp_path / "data").exists()
