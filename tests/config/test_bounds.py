"""Absurd values are refused when they are set, and not when they have filled the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bas.config import Pipeline, load
from bas.errors import SettingsError


def _unbounded(schema: Any, path: str) -> Iterator[str]:
    if isinstance(schema, dict):
        if schema.get("type") == "integer" and not {"maximum", "exclusiveMaximum", "enum"} & schema.keys():
            yield path
        for key, value in schema.items():
            yield from _unbounded(value, f"{path}.{key}")
    if isinstance(schema, list):
        for value in schema:
            yield from _unbounded(value, path)


def test_every_whole_number_has_an_upper_bound() -> None:
    assert list(_unbounded(Pipeline.model_json_schema(), "")) == []


@pytest.mark.parametrize(
    "assignment",
    [
        "extract.height=1000000000",
        "extract.stack=[-2, 0, 999999999]",
        "extract.grid=[1, 9999999]",
        "extract.clock=1e999999999",
        "extract.clock=1/0",
        f"fit.samples=1{'0' * 400}",
        f"fit.learning_rate=1{'0' * 400}",
        "fit.target_window=999999999",
        "peaks.sigma=1e300",
    ],
)
def test_an_absurd_value_is_refused_with_its_range(assignment: str) -> None:
    with pytest.raises(SettingsError, match=f"{assignment.partition('=')[0]}: found .*, expected"):
        load("heads", sets=[assignment])


@pytest.mark.parametrize(
    ("clock", "stored"),
    [
        ("29.97", "2997/100"),
        ("30000/1001", "30000/1001"),
        ("23.976023976023978", "11988011988011989/500000000000000"),
    ],
)
def test_a_clock_is_read_again_as_it_is_stored(clock: str, stored: str) -> None:
    assert load("heads", sets=[f"extract.clock={clock}"]).extract.clock == stored
    assert load("heads", sets=[f"extract.clock={stored}"]).extract.clock == stored
