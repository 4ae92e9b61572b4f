"""Names and file paths of synthetic matches, in the layout of each dataset."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import numpy as np

LayoutName = Literal["bas-2025", "bas-2024", "bas-2023", "soccernet-v2", "folder"]

_LEAGUE, _SEASON = "synthetic_league", "2030-2031"
_FIRST_MATCHDAY = datetime.date(2030, 8, 3)
_CLUBS = (
    "Aldermoor Rovers", "Brackwater United", "Cinderford Athletic", "Dunholme Wanderers", "Eastmere City",
    "Fernhill Albion", "Gallowgate Town", "Harrowby Rangers", "Inverlea Thistle", "Kestrel Park", "Larkfield Villa",
    "Merrowdale", "Northquay Orient", "Oakhaven County", "Pendlebrook", "Quarry Vale",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MatchName:
    """Game id, date and clubs of a match."""

    game_id: str
    date: str
    home: str
    away: str


@dataclass(frozen=True, slots=True)
class MatchFiles:
    """Files of one match: two videos of one half each, or one video of both."""

    videos: tuple[Path, ...]
    labels: Path


def match_name(layout: LayoutName, *, match: int, rng: np.random.Generator) -> MatchName:
    """Return the name of match number `match`, counted from 0, with random clubs."""
    home, away = rng.choice(np.array(_CLUBS), 2, replace=False)
    date = (_FIRST_MATCHDAY + datetime.timedelta(days=7 * match)).isoformat()
    title = f"{date} - {home} - {away}"
    game_id = title if layout == "folder" else f"{_LEAGUE}/{_SEASON}/{title}"
    return MatchName(game_id, date, str(home), str(away))


def match_files(out: Path, layout: LayoutName, name: MatchName, *, video: str) -> MatchFiles:
    """Return the paths of a match below `out`; `video` (224p or 720p) appears in the file names."""
    folder = out / name.game_id
    match layout:
        case "bas-2025" | "bas-2024":
            return MatchFiles((folder / f"{video}.mp4",), folder / "Labels-ball.json")
        case "bas-2023" | "soccernet-v2":
            labels = "Labels-ball.json" if layout == "bas-2023" else "Labels-v2.json"
            return MatchFiles((folder / f"1_{video}.mkv", folder / f"2_{video}.mkv"), folder / labels)
        case "folder":
            return MatchFiles((out / f"{name.game_id}.mp4",), out / f"{name.game_id}.json")
        case _:
            assert_never(layout)


def split_games(games: tuple[str, ...]) -> dict[str, list[str]]:
    """Split games into about one half train, one sixth valid and one third test.

    With fewer than three games, valid is missing; with one game, test is missing too.
    """
    test = max(1, round(len(games) / 3)) if len(games) > 1 else 0
    valid = max(1, round(len(games) / 6)) if len(games) > 2 else 0
    train = len(games) - test - valid
    splits = {"train": games[:train], "valid": games[train : train + valid], "test": games[train + valid :]}
    return {name: list(split) for name, split in splits.items() if split}
