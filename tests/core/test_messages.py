"""Words for messages."""

from __future__ import annotations

import pytest

from bas.messages import counted


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
