"""Clips and rendered videos look as a player shows the video: turned, and with square pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from support import media

from bas.dataset import BALL_CLASSES, probe
from bas.evaluate.video.highlights import Highlight, cut_highlights
from bas.evaluate.video.overlay import Overlay, render
from bas.types import Scores


def first_luma(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == 0
        return np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def clip_of(video: Path) -> NDArray[np.uint8]:
    times = probe(video)
    (path,) = cut_highlights(
        times, [Highlight(400, "PASS 93%")], video.parent / "out", origin_pts=times.start_pts
    )
    return first_luma(path)


def test_a_clip_of_a_phone_video_is_upright(tmp_path: Path) -> None:
    video = media.write_video(tmp_path / "phone.mp4", 25, turn=(90, False, False), size=(128, 96))
    luma = clip_of(video)
    assert luma.shape == (128, 96)
    assert media.number_of(np.rot90(luma, -1)) == 0
    assert media.number_of(luma) is None


@pytest.mark.parametrize(
    ("turn", "columns", "rows"), [(None, 256, 144), ((270, False, False), 50, 88)], ids=["level", "turned"]
)
def test_pixels_of_a_clip_are_square(
    tmp_path: Path, turn: tuple[int, bool, bool] | None, columns: int, rows: int
) -> None:
    video = media.write_video(
        tmp_path / "pal.mp4", 25, pixel_aspect=Fraction(32, 11), size=(88, 144), turn=turn
    )
    assert probe(video).shown_size == (columns, rows)
    assert clip_of(video).shape == (rows, columns)


def test_a_rendered_video_is_upright_with_square_pixels(tmp_path: Path) -> None:
    video = media.write_video(
        tmp_path / "phone.mkv", 5, turn=(180, False, False), pixel_aspect=Fraction(4, 3), size=(360, 400)
    )
    times = probe(video)
    scores = Scores(np.zeros((5, len(BALL_CLASSES)), np.float32), BALL_CLASSES, Fraction(25))
    render(times, Overlay(scores, (), is_labeled=False), tmp_path / "out.mp4", origin_pts=times.start_pts)
    luma = first_luma(tmp_path / "out.mp4")
    assert luma.shape[1] == 480
    assert media.number_of(luma[:400][::-1, ::-1]) == 0
