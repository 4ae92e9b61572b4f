"""What is watched beside a video follows the clock of players, and with `--out` nothing is written beside it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.media import delay, drop_packets, numbers_by_pts
from support.runs import HOME, bas, games_of, small_run

from bas.config import ExtractSettings
from bas.dataset import probe
from bas.errors import DataError
from bas.extract.decode.timeline import open_timeline

LEAD_MS = 400
"""Time by which the sound leads: the first picture is shown when a player's clock is at 0.4 s."""


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return small_run(HOME)


@pytest.fixture(scope="module")
def video(run: Path) -> Path:
    """Three seconds of a match."""
    (game,) = games_of(HOME)
    return drop_packets(game.videos[0].path, Path("match/derby.mp4"), keep=lambda number: number < 75)


@pytest.fixture(scope="module")
def late(video: Path) -> Path:
    return delay(video, Path("late/derby.mp4"), delay_ms=LEAD_MS)


def csv_times(folder: Path) -> list[int]:
    with (folder / "events.csv").open() as file:
        return [int(row["position_ms"]) for row in csv.DictReader(file)]


def srt_times(folder: Path) -> list[int]:
    found = re.findall(r"(\d+):(\d+):(\d+),(\d+) -->", (folder / "derby.srt").read_text())
    return [int(h) * 3_600_000 + int(m) * 60_000 + int(s) * 1000 + int(ms) for h, m, s, ms in found]


def positions(folder: Path) -> list[Any]:
    predictions = json.loads((folder / "results_spotting.json").read_text())["predictions"]
    return [(one["position"], one["label"]) for one in predictions]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_subtitles_and_events_follow_the_players_clock_and_positions_their_origin(
    run: Path, video: Path, suffix: str
) -> None:
    late = delay(video, Path(f"late{suffix}/derby{suffix}"), delay_ms=LEAD_MS)
    plain, lead = Path("plain"), Path(f"lead{suffix}")
    bas("predict", str(video), "--model", str(run), "--out", str(plain))
    bas("predict", str(late), "--model", str(run), "--out", str(lead))
    assert positions(plain) == positions(lead) != []
    assert csv_times(lead) == [time + LEAD_MS for time in csv_times(plain)]
    assert srt_times(lead) == [time + LEAD_MS for time in srt_times(plain)] != []


def test_clips_are_named_by_the_players_clock_and_hold_the_same_pictures(
    run: Path, video: Path, late: Path
) -> None:
    clips = {}
    for name, source in (("clips-plain", video), ("clips-late", late)):
        bas("clips", str(source), "--model", str(run), "--confidence", "0.3", "--out", name)
        clips[name] = sorted((Path(name) / "derby").glob("*.mp4"))
    assert len(clips["clips-plain"]) == len(clips["clips-late"]) > 0
    for plain, shifted in zip(*clips.values(), strict=True):
        seconds = [float(path.name[4:10]) for path in (plain, shifted)]
        assert seconds[1] - seconds[0] == pytest.approx(LEAD_MS / 1000)
        assert len(numbers_by_pts(plain)) == len(numbers_by_pts(shifted))


def test_a_rendered_video_runs_on_the_clock_of_its_original(run: Path, late: Path) -> None:
    bas("render", str(late), "--model", str(run), "--out", "rendered")
    original, rendered = probe(late), probe(Path("rendered/derby.mp4"))
    assert rendered.start_pts * rendered.time_base == original.start_pts * original.time_base
    assert len(rendered.pts) == len(original.pts)


@pytest.mark.parametrize("command", ["predict", "clips", "render"])
def test_with_out_nothing_is_written_beside_the_video(run: Path, video: Path, command: str) -> None:
    before = sorted(video.parent.rglob("*"))
    bas(command, str(video), "--model", str(run), "--out", f"out-{command}")
    assert sorted(video.parent.rglob("*")) == before
    assert any(Path(f"out-{command}").rglob("results_spotting.json"))


def test_predictions_beside_the_video_are_used_where_the_output_lies_elsewhere(
    run: Path, video: Path, tmp_path: Path
) -> None:
    copied = Path(tmp_path / "derby.mp4")
    copied.write_bytes(video.read_bytes())
    bas("predict", str(copied), "--model", str(run))
    bas("clips", str(copied), "--model", str(run), "--out", str(tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("results_spotting.json"))


def test_a_video_that_starts_an_hour_late_needs_no_setting(
    run: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hour = delay(video, Path("hour/derby.mkv"), delay_ms=3_600_000, sound=False)
    plain = Path("hour-plain")
    bas("predict", str(video), "--model", str(run), "--out", str(plain))
    output = bas("predict", str(hour), "--model", str(run))
    assert "the first picture comes at 3600.00 s" in " ".join(output.split())
    sidecar = hour.with_name("derby.mkv.spots")
    assert positions(sidecar) == positions(plain)
    assert csv_times(sidecar) == csv_times(plain)  # a player starts at the first picture
    bas("clips", str(hour), "--model", str(run))
    bas("render", str(hour), "--model", str(run))


def test_labels_of_a_late_video_in_a_dataset_are_never_guessed(video: Path, tmp_path: Path) -> None:
    hour = delay(video, tmp_path / "derby.mkv", delay_ms=3_600_000, sound=False)
    with pytest.raises(DataError, match="bas extract --set extract.time_origin=start"):
        open_timeline(hour, ExtractSettings())
