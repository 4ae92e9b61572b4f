"""Words for messages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bas.messages import counted, not_existing


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "spot", "0 spots"),
        (1, "match", "1 match"),
        (2, "training match", "2 training matches"),
        (1200, "class", "1,200 classes"),
        (1, "process", "1 process"),
        (4, "process", "4 processes"),
    ],
)
def test_a_counted_noun_is_plural_unless_there_is_one(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text


def test_a_path_that_is_no_file_is_told_from_one_that_does_not_exist(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "match.mp4")
    assert not_existing(tmp_path / "match.mp4").endswith("match.mp4 is a pipe or a device, not a file.")
    assert "does not exist. Did you mean" in not_existing(tmp_path / "mach.mp4")
