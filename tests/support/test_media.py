"""The synthetic videos that other tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import media


@given(number=st.integers(0, 65535))
@settings(max_examples=50)
def test_a_picture_shows_its_number_at_any_size(number: int) -> None:
    luma = media.picture(number, size=(398, 224))[:224]
    assert media.number_of(luma) == number
    assert media.number_of(luma[::3, ::2]) == number


def test_a_damaged_picture_shows_no_number() -> None:
    luma = media.picture(1234, size=(128, 96))[:96].copy()
    luma[:32, :16] = 128
    assert media.number_of(luma) is None


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_numbers_survive_compression(tmp_path: Path, codec: str) -> None:
    path = media.write_video(tmp_path / "a.mkv", 30, codec=codec, first=4000)  # type: ignore[arg-type]
    assert list(media.numbers_by_pts(path).values()) == list(range(4000, 4030))


def test_pictures_are_stored_out_of_order(tmp_path: Path) -> None:
    import av

    with av.open(str(media.write_video(tmp_path / "a.mp4", 30))) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert times != sorted(times)
    assert len(np.unique(times)) == 30
