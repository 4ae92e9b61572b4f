"""YAML is read strictly, and a small file never takes much time or memory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from support.killing import in_child

from bas.config import read_yaml
from bas.config.strict_yaml import parse_yaml
from bas.errors import SettingsError

_NINE_LEVELS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
_NINE_TEXTS = f"a0: &a0 {'x' * 100_000}\nb: [{', '.join(['*a0'] * 1000)}]\n"


def test_aliases_are_written_out() -> None:
    assert parse_yaml("train: &a [one, two]\nall: *a", source="it") == {
        "train": ["one", "two"],
        "all": ["one", "two"],
    }


@pytest.mark.fault("S07", "S12")
@pytest.mark.parametrize("text", [_NINE_LEVELS, _NINE_TEXTS, "a: &a [*a]", "&a {b: *a}"])
def test_aliases_that_multiply_are_refused_at_no_cost(text: str) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        with pytest.raises(SettingsError, match="Invalid YAML in it: too large: more than 100,000 values"):
            parse_yaml(text, source="it")

    assert in_child(work) == 0


def test_twenty_thousand_keys_are_compared_in_linear_time() -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        assert len(parse_yaml("\n".join(f"k{i}: 1" for i in range(20_000)), source="it")) == 20_000

    assert in_child(work) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("? [1, 2]\n: 3", "a key must be a word or a number"),
        ("[" * 5000, "recursion"),
        (f"a: {'9' * 5000}", "digits"),
        ("a: \0", "unacceptable character"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: *b", "undefined alias"),
    ],
)
@pytest.mark.fault("S12")
def test_what_is_no_plain_document_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"Invalid YAML in it: .*{reason}"):
        parse_yaml(text, source="it")


def test_times_stay_words() -> None:
    assert parse_yaml("[12:30, 1:2:3.5, 12, 1.5, -3, 0x10]", source="it") == [
        "12:30",
        "1:2:3.5",
        12,
        1.5,
        -3,
        16,
    ]


@pytest.mark.parametrize("kind", ["pipe", "endless device", "large file", "folder"])
def test_a_preset_is_a_small_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "preset.yaml"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "endless device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case _:
            path.write_bytes(bytes(3 << 20))
    with pytest.raises(SettingsError, match=f"Cannot read {path}: .*({kind.split()[-1]}|pipe|large)"):
        read_yaml(path)
