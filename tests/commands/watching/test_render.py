"""`bas render` on a fitted run: a video with scores, detections and the labels beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.media import drop_packets
from support.runs import HOME, bas, games_of, small_run

from bas.dataset import probe


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return small_run(HOME)


def test_a_video_is_rendered_with_the_labels_beside_it(run: Path) -> None:
    (game,) = games_of(HOME)
    video = drop_packets(game.videos[0].path, Path("match") / "224p.mp4", keep=lambda number: number < 50)
    assert game.labels is not None
    (video.parent / "Labels-ball.json").write_bytes(game.labels.read_bytes())
    bas("render", str(video), "--model", str(run))
    rendered = probe(video.with_name("224p.mp4.spots") / "rendered" / "224p.mp4")
    assert len(rendered.pts) == len(probe(video).pts)
