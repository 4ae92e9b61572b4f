"""A run of stage 3 belongs to the videos that it was started with."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bas.errors import DataError
from bas.files import write_json
from bas.heads.finetune.preflight import VIDEOS_FILE, require_same_videos, video_samples
from bas.heads.training.training_set import AnnotatedVideo
from bas.types import Game, Video


@pytest.fixture
def video(tmp_path: Path) -> AnnotatedVideo:
    path = tmp_path / "1_720p.mkv"
    path.write_bytes(bytes(range(256)) * 1000)
    game = Game("league/game", (Video(path, 1),), None)
    return AnnotatedVideo(game, game.videos[0], (), 2, Fraction(25), np.ones(9, bool))


@pytest.mark.fault("C07", "T04")
def test_a_run_whose_video_was_replaced_by_one_of_the_same_size_is_refused(
    tmp_path: Path, video: AnnotatedVideo
) -> None:
    run = tmp_path / "e2e-1a2b3c4d"
    write_json(run / VIDEOS_FILE, video_samples([video]))
    require_same_videos(run, video_samples([video]))
    path = video.video.path
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(
        DataError, match=f"other videos .*league/game/1_720p.mkv. Restore them, or delete {run}"
    ):
        require_same_videos(run, video_samples([video]))


def test_a_run_of_an_earlier_version_is_resumed(tmp_path: Path, video: AnnotatedVideo) -> None:
    require_same_videos(tmp_path / "new", video_samples([video]))


@pytest.mark.parametrize("text", ["[]", "null", "7", "{"])
def test_a_damaged_record_is_named(tmp_path: Path, video: AnnotatedVideo, text: str) -> None:
    (tmp_path / VIDEOS_FILE).write_text(text)
    with pytest.raises(DataError, match=VIDEOS_FILE):
        require_same_videos(tmp_path, video_samples([video]))
