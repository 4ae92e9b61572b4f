"""`bas settings` and the reference in configs/README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from bas.commands.data.settings import print_settings
from bas.config import Pipeline, load, parse
from bas.config.reference import markdown, settings_sections, updated
from bas.errors import SettingsError

_CONFIGS = ROOT / "configs"


def _keys(value: Any, key: str = "") -> Iterator[str]:
    """Dotted names of all values in a dump of the settings."""
    if isinstance(value, dict) and (value or not key):
        for name, inner in value.items():
            yield from _keys(inner, f"{key}.{name}".lstrip("."))
    else:
        yield key


def test_the_readme_of_the_presets_is_current() -> None:
    text = (_CONFIGS / "README.md").read_text("utf-8")
    assert updated(text) == text, "configs/README.md is out of date. Run: make settings"


def test_the_introduction_names_every_preset_folder() -> None:
    text = (_CONFIGS / "README.md").read_text("utf-8")
    folders = {path.name for path in _CONFIGS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(re.findall(r"^\| `(\w+)/`", text, re.MULTILINE)) == folders


def test_the_example_in_the_introduction_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (_CONFIGS / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "mine.yaml").write_text(example)
    settings = load("heads", head="sgp", preset=str(tmp_path / "mine.yaml"))
    assert settings.peaks.for_action("GOAL").min_distance == 50


@pytest.mark.parametrize("head", ["linear", "netvlad", "blocks3d", "sgp", "gru"])
def test_every_setting_is_listed_with_its_default(head: str) -> None:
    rows = {
        row.setting: row
        for section in settings_sections()
        if not section.name.startswith("head.") or section.name == f"head.{head}"
        for row in section.rows
    }
    assert set(rows) == set(_keys(Pipeline.model_validate({"head": {"kind": head}}).model_dump(mode="json")))
    assert all(row.meaning.endswith(".") for row in rows.values())
    given = [f"{key}={row.default}" for key, row in rows.items()]
    assert load("finetune", sets=given) == parse({"head": {"kind": head}}, source="defaults")


def test_rows_have_type_range_and_choices() -> None:
    rows = {row.setting: row for section in settings_sections() for row in section.rows}
    assert [(rows[key].type, rows[key].values) for key in (
        "extract.grid", "fit.optimizer", "fit.focal_alpha", "head.clip_rows", "finetune.augment.posterize.bits",
    )] == [
        ("list of 2 ints", "each >= 1, <= 128"),
        ("choice", "adamw, adam, sgd"),
        ("float or null", ">= 0, <= 1"),
        ("int", ">= 8, <= 100000"),
        ("list of 2 ints", "each >= 1, <= 8"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [
        ("", "peaks.min_score", "nothing"),
        ("fit", "fit.min_lr_ratio", "finetune.min_lr_ratio"),
        ("finetune", "finetune.augment.blur.kernel", "fit.mixup"),
        ("netvlad", "head.clusters", "head.hidden"),
        ("head.netvlad", "head.clusters", "head.hidden"),
        ("peaks.sigma", "peaks.sigma", "peaks.min"),
        ("peaks.min", "peaks.min_distance", "peaks.sigma"),
        ("finetune.augment.blur", "finetune.augment.blur.kernel", "finetune.augment.motion"),
        ("head.dim", "head.gru", "head.linear"),
    ],
)
def test_the_command_prints_a_setting_a_section_or_all(
    name: str, shown: str, hidden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_settings(name)
    printed = capsys.readouterr().out
    assert shown in printed
    assert hidden not in printed


@pytest.mark.parametrize(
    ("name", "near"), [("finetunes", "finetune"), ("peak.sigma", "peaks.sigma"), ("sigma", "peaks.sigma")]
)
def test_an_unknown_setting_or_section_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"Unknown setting or section '{name}'. Did you mean '{near}'"):
        print_settings(name)


def test_cells_cannot_break_a_markdown_table() -> None:
    lines = [line for line in markdown().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {6}
