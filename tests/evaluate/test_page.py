"""The page of a run and the clips of its mistakes: whole, alone, and of the right moments."""

from __future__ import annotations

import base64
import io
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import media
import numpy as np
import pytest
from PIL import Image

from bas.evaluate.analysis import analyze
from bas.evaluate.page import Page, write_page
from bas.evaluate.score import score_documents
from bas.evaluate.soccernet import Prediction
from bas.evaluate.strips import strip
from bas.types import Game, Scores, Spot, Video

_CLASSES = ("PASS", "SHOT")


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    path = media.write_video(tmp_path_factory.mktemp("game") / "v.mp4", 250)
    return Game("league/<b>A & B", (Video(path, 1),), None)


def _page(game: Game) -> Page:
    labels = {game.id: (Spot(2000, "PASS"), Spot(5000, "SHOT"), Spot(7000, "PASS"))}
    claims = (
        Prediction(2080, 1, "PASS", 0.9, None),
        Prediction(5000, 1, "PASS", 0.6, None),
        Prediction(9000, 1, "SHOT", 0.3, None),
    )
    evaluation = score_documents(labels, {game.id: claims}, classes=_CLASSES)
    scores = {game.id: {1: Scores(np.full((250, 2), 0.1, np.float32), _CLASSES, Fraction(25))}}
    analysis = analyze(evaluation, labels, {game.id: claims}, scores=scores)
    records: list[dict[str, Any]] = [
        {"epoch": 1, "loss": 0.4, "mAP@1": 0.2},
        {"epoch": 2, "loss": None, "mAP@1": None},
    ]
    return Page("run <1>", evaluation, analysis, [game], scores, records)


def test_the_page_needs_nothing_else_and_takes_no_name_for_markup(game: Game, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_page(path, _page(game))
    text = path.read_text()
    outside = re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", text)
    assert all(address.startswith(("data:", "#")) for address in outside)
    assert "@import" not in text
    assert "url(http" not in text
    assert "run &lt;1&gt;" in text
    assert "&lt;b&gt;A &amp; B" in text
    assert "<b>A & B" not in text
    for words in ("PASS", "SHOT", "validation mAP@1", "data:image/jpeg;base64", "prefers-color-scheme: dark"):
        assert words in text
    assert text.count("<svg") == 2 + 2 + 2 + 1  # of classes, of time, of training, of the match
    assert len(re.findall(r"<svg[^>]*viewBox", text)) == text.count("<svg")


def test_every_outcome_is_marked_on_the_match_and_told_in_words(game: Game, tmp_path: Path) -> None:
    page = _page(game)
    write_page(tmp_path / "report.html", page)
    text = (tmp_path / "report.html").read_text()
    marks = sum((one.spot is not None) + (one.claim is not None) for one in page.analysis.outcomes)
    assert text.count("<rect class=") == marks
    assert f"Every action and claim ({len(page.analysis.outcomes)})" in text


def test_a_strip_shows_five_pictures_also_at_the_ends(game: Game) -> None:
    video = game.videos[0].path
    for position_ms in (0, 4000, 9990):
        address = strip(video, position_ms)
        assert address is not None
        picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
        assert picture.width == 5 * 224
