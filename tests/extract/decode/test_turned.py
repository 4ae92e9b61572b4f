"""Pictures of phone video are turned as players show them, before anything else is done with them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support import media
from support.extracting import make_game, tiny_settings

from bas.clock import place_on_clock
from bas.dataset.video.display import AS_CODED, Orientation
from bas.dataset.video.probe import VideoTimes, probe
from bas.extract.decode.frames import DecodeStats, read_frames
from bas.extract.decode.pictures import turned
from bas.extract.extract import cached_features, open_caches

TURNS = {
    "": (0, False, False),
    "turned by 270 degrees": (90, False, False),
    "turned by 180 degrees": (180, False, False),
    "turned by 90 degrees": (270, False, False),
    "mirrored": (0, True, False),
    "mirrored, then turned by 180 degrees": (0, False, True),
    "mirrored, then turned by 90 degrees": (90, True, False),
    "mirrored, then turned by 270 degrees": (90, False, True),
}
"""Degrees counterclockwise, then whether columns and rows are mirrored, by the text for clockwise degrees."""


def by_hand(picture: NDArray[np.uint8], turn: tuple[int, bool, bool]) -> NDArray[np.uint8]:
    degrees, columns, rows = turn
    shown = np.rot90(picture, degrees // 90)  # counterclockwise, too
    return shown[:: -1 if rows else 1, :: -1 if columns else 1]


def luma_of(times: VideoTimes, number: int) -> NDArray[np.uint8]:
    clock = place_on_clock(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(25))
    frames = read_frames(
        times, clock, start=number, stop=number + 1, decoder="cpu", device="cpu", stats=DecodeStats()
    )
    return np.asarray(next(iter(frames)).luma)


@pytest.mark.parametrize("text", TURNS)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_frame_is_the_picture_that_a_viewer_sees(tmp_path: Path, suffix: str, text: str) -> None:
    turn = TURNS[text]
    times = probe(media.write_video(tmp_path / f"phone{suffix}", 30, turn=turn, size=(128, 96)))
    expected = by_hand(media.picture(20, size=(128, 96))[:96], turn)
    luma = luma_of(times, 20)
    assert times.orientation.text == text
    assert (times.height, times.width) == luma.shape == expected.shape
    assert np.abs(luma.astype(int) - expected).mean() < 6
    torch.as_tensor(luma)  # takes no negative strides
    assert any("as players show them" in note for note in times.notes) == bool(text)


@pytest.mark.parametrize("flip_rows", [False, True])
@pytest.mark.parametrize("flip_columns", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_both_decoders_turn_a_plane_alike(transposed: bool, flip_rows: bool, flip_columns: bool) -> None:
    orientation = Orientation(transposed, flip_rows, flip_columns)
    plane = np.arange(12, dtype=np.uint8).reshape(3, 4)
    on_cpu, on_gpu = turned(plane, orientation), turned(torch.as_tensor(plane), orientation)
    assert np.array_equal(on_cpu, on_gpu.numpy())
    assert on_gpu.is_contiguous()
    assert (on_cpu is plane) == (orientation == AS_CODED)


def test_rows_of_a_turned_video_that_were_computed_from_its_coded_pictures_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tiny_settings(tmp_path)
    game = make_game(tmp_path / "data", pictures=30, turn=(180, False, False))
    (video,), features = game.videos, tmp_path / "features"
    with monkeypatch.context() as before:  # a version that ignores display matrices
        before.setattr("bas.dataset.video.display._orientation", lambda picture: AS_CODED)
        old = cached_features([game], settings, features=features, device="cpu")[video.path]
        rows = np.array(old.features)
    assert open_caches([game], settings, features=features) == {}
    new = cached_features([game], settings, features=features, device="cpu")[video.path]
    assert not np.array_equal(new.features, rows)
    assert new.video.turned == "turned by 180 degrees"
    assert "extracted from another video" in " ".join(capsys.readouterr().err.split())
    assert open_caches([game], settings, features=features)[video.path].identity == new.identity


def test_a_video_that_is_shown_as_it_is_coded_leaves_no_new_word_in_its_cache(tmp_path: Path) -> None:
    game = make_game(tmp_path / "data", pictures=30)
    (cache,) = cached_features(
        [game], tiny_settings(tmp_path), features=tmp_path / "features", device="cpu"
    ).values()
    with h5py.File(cache.path) as file:
        assert "turned" not in file.attrs
