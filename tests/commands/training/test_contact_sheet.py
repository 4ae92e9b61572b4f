"""`bas contact-sheet`: a picture of the training that would run."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.runs import HOME, small_run

from bas.commands.training.contact_sheet import contact_sheet
from bas.config import load
from bas.errors import SettingsError
from bas.heads.interop.model_folder import load_settings


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return small_run(HOME, "netvlad", "extract.grid=[1,2]", "extract.height=32", "extract.width=64")


def _write_sheet(run: Path, out: Path, *sets: str) -> None:
    settings = load("finetune", base=load_settings(run), preset="tiny", sets=sets)
    contact_sheet(run, settings, HOME, out=out)


def test_a_contact_sheet_shows_the_training_that_would_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "clips.png"
    _write_sheet(run, sheet, "finetune.samples=4", "head.window_seconds=3.6")
    output = capsys.readouterr()
    assert "4 clips of 44 rows" in output.out + output.err  # the fitted head's would have 31
    with Image.open(sheet) as picture:
        assert picture.size[1] > 4 * 100
    with pytest.raises(SettingsError, match="less than the 20 rows"):
        _write_sheet(run, sheet, "finetune.clip_rows=12")
    with pytest.raises(SettingsError, match=r"clips\.jpg.*\.png"):
        _write_sheet(run, tmp_path / "clips.jpg")
