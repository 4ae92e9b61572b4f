"""Every fault of the catalogue has a test, and every mark a row."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from faults.catalogue import ROWS, SCORED_ON_PEERS
from support import ROOT

_NUMBERS = Counter(row.number for row in (*ROWS, *SCORED_ON_PEERS))


def _marked_numbers(source: str) -> Iterator[object]:
    """Arguments of every `pytest.mark.fault(...)`, and None for one that is no constant."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="fault"), args=numbers):
                yield from (one.value if isinstance(one, ast.Constant) else None for one in numbers)


def _marks() -> dict[object, list[Path]]:
    found: dict[object, list[Path]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for number in _marked_numbers(path.read_text()):
            found.setdefault(number, []).append(path)
    return found


def test_every_fault_has_a_test() -> None:
    assert sorted(set(_NUMBERS) - {*_marks()}) == []


def test_every_mark_names_a_fault() -> None:
    assert {number: paths for number, paths in _marks().items() if number not in _NUMBERS} == {}


def test_no_number_is_given_twice() -> None:
    assert [number for number, count in _NUMBERS.items() if count > 1] == []


def test_marks_are_found_wherever_they_stand() -> None:
    source = """
pytestmark = pytest.mark.fault("V01")
CASES = [pytest.param(1, marks=pytest.mark.fault("V02"))]
@pytest.mark.fault("V03", "V04")
@pytest.mark.fault(NAME)
def test_it() -> None: ...
"""
    assert list(_marked_numbers(source)) == ["V01", "V03", "V04", None, "V02"]
