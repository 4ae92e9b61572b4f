from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from SoccerNet.utils import getListGames
from support.matches import GAME

from bas.dataset import game_id
from bas.errors import DataError

SPLITS = ["train", "valid", "test", "challenge"]


@pytest.mark.fault("S11", "P29")
@given(text=st.text(alphabet=st.sampled_from("ab./\\\0\n~ é-\ud800"), max_size=14) | st.text())
def test_an_accepted_id_never_leads_out_of_the_folder(text: str) -> None:
    root = Path("/features/key")
    try:
        name = game_id(text, source="test")
    except DataError:
        return
    path = root / name
    assert path.is_relative_to(root)
    assert path != root
    assert ".." not in path.parts
    assert not any(part.startswith(".") for part in name.split("/"))
    path.as_posix().encode()
    assert game_id(name, source="test") == name


@pytest.mark.fault("S11", "P29")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        ".",
        "..",
        "../a",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a\\b",
        "a\0b",
        "a/.hidden",
        "a/b/c/d/e",
        "a\nb",
    ],
)
def test_an_unsafe_id_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"predictions\.json: invalid game id "):
        game_id(text, source="predictions.json")


@pytest.mark.parametrize("text", [GAME, "match", "Übung (1) & 2", "Aufnahme 12.03.44", "a/b/c/d"])
def test_names_of_real_matches_are_accepted(text: str) -> None:
    assert game_id(text, source="test") == text
    assert game_id(text + "/", source="test") == text


def test_all_official_game_ids_are_accepted() -> None:
    games = [game for task in ("spotting", "spotting-ball") for game in getListGames(SPLITS, task=task)]
    assert len(games) == 559
    assert [game_id(game, source="test") for game in games] == games
