"""Videos to cut or render: each half has its own labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.matches import annotation, write_labels

from bas.heads.inference.analyzed_videos import _labels_for_video
from bas.types import Game, Spot, Video


@pytest.mark.parametrize(
    ("name", "expected"), [("1_224p.mkv", 1000), ("2_224p.mkv", 2000), ("whole.mkv", None)]
)
def test_a_half_has_its_own_labels(tmp_path: Path, name: str, expected: int | None) -> None:
    write_labels(tmp_path / "Labels-ball.json", [annotation(1000), annotation(2000, half=2)])
    video = tmp_path / name
    labels = _labels_for_video(Game("x", (Video(video, 1),), None), video)
    assert labels == (None if expected is None else [Spot(expected, "PASS", "left")])
