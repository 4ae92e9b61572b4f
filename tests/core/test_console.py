"""Names from files reach the terminal as text, whatever they hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bas import console

_NAME = "a\x1b]0;owned\x07\x1b[2J\r\x9b1m\x00[red]b[/red]é\n"
_SHOWN = r"a\x1b]0;owned\x07\x1b[2J\r\x9b1m\x00[red]b[/red]é"


@pytest.mark.fault("S13")
@pytest.mark.parametrize("say", [console.info, console.warn, console.error, console.show])
def test_control_characters_and_markup_are_printed_as_text(
    say: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(say)
    say(_NAME)
    printed = "".join(capsys.readouterr())
    assert _SHOWN in printed
    assert "\x1b" not in printed


def test_control_characters_in_a_table_are_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = console.table("title \x1b[2J", "name")
    table.add_row("cell \x1b[2J")
    console.show(table)
    printed = capsys.readouterr().out
    assert r"title \x1b[2J" in printed
    assert r"cell \x1b[2J" in printed
    assert "\x1b" not in printed


def test_a_file_name_that_is_no_text_can_be_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / os.fsdecode(b"game \xff")).touch()
    (path,) = tmp_path.iterdir()
    console.info(path.name)
    assert r"game \udcff" in capsys.readouterr().err
