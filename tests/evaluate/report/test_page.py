"""The HTML report page of a run and the frame strips of its mistakes."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from support import media

from bas.config.extract import TimeOrigin
from bas.dataset import VideoTimes, probe
from bas.evaluate.analysis.analysis import analyze
from bas.evaluate.report import page
from bas.evaluate.report.frame_strips import frame_strip
from bas.evaluate.report.page import Page, write_page
from bas.evaluate.scoring.score import score_documents
from bas.types import Game, Prediction, Scores, Spot, Video

_CLASSES = ("PASS", "SHOT")


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    path = media.write_video(tmp_path_factory.mktemp("game") / "v.mp4", 250)
    return Game("league/<b>A & B", (Video(path, 1),), None)


def _page(game: Game) -> Page:
    labels = {game.id: (Spot(2000, "PASS"), Spot(5000, "SHOT"), Spot(7000, "PASS"))}
    predictions = (
        Prediction(2080, 1, "PASS", 0.9, None),
        Prediction(5000, 1, "PASS", 0.6, None),
        Prediction(9000, 1, "SHOT", 0.3, None),
    )
    evaluation = score_documents(labels, {game.id: predictions}, classes=_CLASSES)
    scores = {game.id: {1: Scores(np.full((250, 2), 0.1, np.float32), _CLASSES, Fraction(25))}}
    analysis = analyze(evaluation, labels, {game.id: predictions}, scores=scores)
    records: list[dict[str, Any]] = [
        {"epoch": 1, "loss": 0.4, "mAP@1": 0.2},
        {"epoch": 2, "loss": None, "mAP@1": None},
    ]
    return Page("run <1>", evaluation, analysis, [game], scores, records)


@pytest.mark.fault("S13")
def test_the_page_is_self_contained_and_escapes_markup_in_names(game: Game, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_page(path, _page(game))
    text = path.read_text()
    addresses = re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", text)
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "@import" not in text
    assert "url(http" not in text
    assert "run &lt;1&gt;" in text
    assert "&lt;b&gt;A &amp; B" in text
    assert "<b>A & B" not in text
    for words in (
        "PASS",
        "SHOT",
        "the interval is too narrow",
        "validation mAP@1",
        "data:image/jpeg;base64",
        "prefers-color-scheme: dark",
    ):
        assert words in text
    assert text.count("<svg") == 2 + 2 + 2 + 1  # classes, temporal precision, training, the match
    assert len(re.findall(r"<svg[^>]*viewBox", text)) == text.count("<svg")


def test_every_outcome_is_marked_on_the_timeline_and_counted_in_the_table(game: Game, tmp_path: Path) -> None:
    content = _page(game)
    write_page(tmp_path / "report.html", content)
    text = (tmp_path / "report.html").read_text()
    marks = sum((one.spot is not None) + (one.detection is not None) for one in content.analysis.outcomes)
    assert text.count("<rect class=") == marks
    assert f"Every spot and detection ({len(content.analysis.outcomes)})" in text


def _shown(address: str | None) -> list[int | None]:
    assert address is not None
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L"))
    return [media.number_of(part) for part in np.split(sheet, 5, axis=1)]


def _strip(path: Path, position_ms: int) -> list[int | None]:
    times = probe(path)
    return _shown(frame_strip(times, position_ms, origin_pts=times.start_pts))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_strip_shows_the_pictures_around_its_position_even_at_the_ends_of_the_video(
    tmp_path: Path, suffix: str
) -> None:
    video = media.write_video(tmp_path / f"v{suffix}", 250)
    assert _strip(video, 4000) == [80, 90, 100, 110, 120]
    assert _strip(video, 0) == [0, 0, 0, 10, 20]
    assert _strip(video, 9990) == [229, 239, 249, 249, 249]
    assert _strip(video, 60_000) == [249] * 5


def test_a_lost_or_damaged_picture_leaves_the_one_before_it_in_a_strip(tmp_path: Path) -> None:
    gap = media.write_video(tmp_path / "gap.mkv", times_ms=[*range(0, 2000, 40), *range(3000, 5000, 40)])
    assert _strip(gap, 2400) == [40, 49, 49, 49, 55]
    video = media.write_video(tmp_path / "v.mp4", 250, b_frames=0)
    times = probe(video)
    with av.open(str(video)) as container:
        (packet,) = (one for one in container.demux(video=0) if one.pts == times.pts[100])
        position, size = packet.pos, packet.size
    assert position is not None
    content = bytearray(video.read_bytes())
    content[position : position + size] = bytes(size)
    video.write_bytes(content)
    assert _strip(video, 4000)[:3] == [80, 90, 99]


def test_a_video_is_probed_once_for_all_strips_of_a_page(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[Path] = []

    def counted(path: Path) -> VideoTimes:
        probed.append(path)
        return probe(path)

    monkeypatch.setattr(page, "probe", counted)
    assert len([strip for strip in page._content(_page(game))["strips"] if strip["image"]]) > 1
    assert probed == [game.videos[0].path]


@pytest.mark.parametrize(("origin", "middle"), [("auto", 225), ("start", 225), ("zero", 175)])
def test_strips_count_from_the_origin_of_the_positions(
    tmp_path: Path, origin: TimeOrigin, middle: int
) -> None:
    video = media.write_video(tmp_path / "v.mkv", 250, start_ms=2000)
    late = Game("late", (Video(video, 1),), None)
    (first, *_) = page._content(replace(_page(late), time_origin=origin))["strips"]
    assert "00:09.0" in first["caption"]
    assert _shown(first["image"]) == [middle + offset for offset in (-20, -10, 0, 10, 20)]


def test_marks_on_both_sides_of_a_line_break_stay_on_their_own_lines(game: Game) -> None:
    labels = {game.id: (Spot(299_900, "PASS"), Spot(599_999, "SHOT"))}
    predictions = (Prediction(300_300, 1, "PASS", 0.9, None),)
    evaluation = score_documents(labels, {game.id: predictions}, classes=_CLASSES)
    analysis = analyze(evaluation, labels, {game.id: predictions})
    content = page._content(Page("run", evaluation, analysis, [game]))
    (half,) = content["timelines"]
    marks = [[(mark["x"], mark["label"]) for mark in line["marks"]] for line in half["lines"]]
    assert marks == [[(997.5, "PASS")], [(1.0, "PASS"), (997.5, "SHOT")]]


def test_twenty_mistakes_are_shown_if_there_are_that_many(game: Game) -> None:
    labels = {game.id: tuple(Spot(100 + 300 * k, "PASS") for k in range(30))}
    predictions = (Prediction(20_000, 1, "SHOT", 0.9, None),)
    evaluation = score_documents(labels, {game.id: predictions}, classes=_CLASSES)
    content = page._content(
        Page("run", evaluation, analyze(evaluation, labels, {game.id: predictions}), [game])
    )
    assert len(content["strips"]) == 20
