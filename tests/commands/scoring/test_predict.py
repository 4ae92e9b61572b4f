"""`bas predict` on a fitted run: a table of what is found, and files for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.runs import HOME, bas, games_of, small_run


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return small_run(HOME)


def test_eval_and_predict_write_files_for_other_programs(run: Path) -> None:
    bas("eval", "--run", str(run))
    (game,) = games_of(HOME)
    folder = run / "predictions" / "test"
    assert {path.name for path in (folder / game.id).iterdir()} >= {"events.csv", "224p.srt", "scores.h5"}
    bas("predict", str(game.videos[0].path), "--model", str(run), "--out", "spots")
    scored, alone = (json.loads((f / "osl.json").read_text())["data"][0] for f in (folder, Path("spots")))
    assert scored["events"] == alone["events"]
    assert (folder / scored["inputs"][0]["path"]).resolve() == game.videos[0].path.resolve()
