"""`bas settings` and configs/README.md: a reference of all settings, generated from their schema."""

from __future__ import annotations

import difflib
import json
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from rich.table import Table

from bas import console
from bas.config import Pipeline, Settings
from bas.errors import SettingsError
from bas.files import atomic_write

_MARKER = "<!-- The rest of this file is generated: `make settings`. -->\n"
_COLUMNS = "setting", "type", "default", "values", "meaning"
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "multiple of"}
_TYPES = {bool: "bool", int: "int", float: "float", str: "text", type(None): "null"}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting, as the reference describes it."""

    key: str
    """Full name, as in `--set KEY=VALUE`."""
    type: str
    default: str
    """Default as YAML."""
    values: str
    """Range or choices; empty if the type says it all."""
    meaning: str

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The row as texts, in the order of the columns."""
        return self.key, self.type, self.default, self.values, self.meaning


@dataclass(frozen=True, slots=True)
class SettingsSection:
    """The settings of one section, or of one kind of head."""

    name: str
    """Section, and the kind of a head after a dot."""
    summary: str
    rows: tuple[SettingRow, ...]


def settings_sections() -> tuple[SettingsSection, ...]:
    """All settings by section; heads by kind, and augmentation apart from the rest of its section."""
    sections = []
    for name, field in Pipeline.model_fields.items():
        kinds = get_args(field.annotation)
        for kind in kinds or (field.annotation,):
            full_name = f"{name}.{kind.model_fields['kind'].default}" if kinds else name
            nested = [key for key, value in kind() if isinstance(value, Settings)]
            sections.append(_section(full_name, kind(), key=name, exclude=nested))
            sections += [
                _section(f"{name}.{key}", getattr(kind(), key), key=f"{name}.{key}") for key in nested
            ]
    return tuple(sections)


def print_settings(section: str | None = None) -> None:
    """Print the settings of one section, or all of them.

    Args:
        section: a section such as `fit`, `head` or `finetune.augment`, or a kind of head.

    Raises:
        SettingsError: there is no such section.
    """
    sections = settings_sections()
    if section is not None:
        found = [one for one in sections if f".{section}." in f".{one.name}."]
        if not found:
            known = sorted({part for one in sections for part in (one.name.partition(".")[0], one.name)})
            near = difflib.get_close_matches(section, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Available: {', '.join(known)}."
            raise SettingsError(f"Unknown section {section!r}. {hint}")
        sections = tuple(found)
    for one in sections:
        console.show(_table(one), "")


def markdown() -> str:
    """The reference as Markdown, one table per section."""
    lines: list[str] = []
    for section in settings_sections():
        lines += [f"## {section.name}", "", section.summary, ""]
        lines += [_markdown_row(_COLUMNS), _markdown_row("---" for _ in _COLUMNS)]
        for row in section.rows:
            key, type_, default, values, meaning = (cell.replace("|", "\\|") for cell in row.cells)
            lines.append(_markdown_row((f"`{key}`", type_, f"`{default}`", values, meaning)))
        lines.append("")
    return "\n".join(lines)


def updated(text: str) -> str:
    """Text of configs/README.md with a new reference; the introduction above the marker is kept.

    Raises:
        ValueError: the text has no marker.
    """
    introduction, marker, _ = text.partition(_MARKER)
    if not marker:
        raise ValueError(f"Missing line: {_MARKER.strip()}")
    return f"{introduction}{marker}\n{markdown()}"


def _section(name: str, settings: Settings, *, key: str, exclude: Sequence[str] = ()) -> SettingsSection:
    summary = " ".join((type(settings).__doc__ or "").split())
    return SettingsSection(name, summary, tuple(_rows(settings, key=key, exclude=exclude)))


def _rows(settings: Settings, *, key: str, exclude: Sequence[str] = ()) -> Iterator[SettingRow]:
    """Rows of a section; those of a transform inside it follow under its name."""
    fields = {name: field for name, field in type(settings).model_fields.items() if name not in exclude}
    for name, field in sorted(fields.items(), key=lambda item: item[0] != "kind"):  # the kind of a head first
        value, meaning = getattr(settings, name), " ".join((field.description or "").split())
        if isinstance(value, Settings):
            first, *others = _rows(value, key=f"{key}.{name}")
            yield replace(first, meaning=f"{meaning} {first.meaning}")  # only here: it need not be repeated
            yield from others
        else:
            default = settings.model_dump(mode="json", include={name})[name]
            yield SettingRow(
                f"{key}.{name}", _type(field.annotation), _yaml(default), _values(field), meaning
            )


def _type(annotation: Any) -> str:
    """Type of a setting in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _TYPES:
        return _TYPES[annotation]
    if origin is Literal:
        return "choice"
    if origin in (Union, types.UnionType):
        return " or ".join(map(_type, arguments))
    if origin is dict:
        return "mapping"
    if origin is tuple:
        return f"list of {len(arguments)} {_type(arguments[0])}s"
    return _type(arguments[0])  # Annotated


def _values(field: FieldInfo) -> str:
    """Choices or range of a setting, and of the elements of a list."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    bounds = _bounds(field.metadata)
    if not bounds and get_origin(annotation) is tuple:
        element = get_args(annotation)[0]
        bounds = _bounds(FieldInfo.from_annotation(element).metadata)
        return f"each {bounds}" if bounds else ""
    return bounds


def _bounds(metadata: Iterable[Any]) -> str:
    bounds = [
        f"{sign} {getattr(one, name)}"
        for one in metadata
        for name, sign in _BOUNDS.items()
        if getattr(one, name, None) is not None
    ]
    return ", ".join(bounds)


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(section: SettingsSection) -> Table:
    table = console.table(f"{section.name}: {section.summary}", *_COLUMNS, left=len(_COLUMNS))
    for column in table.columns[2:]:
        column.no_wrap = False
    for row in section.rows:
        table.add_row(*row.cells)
    return table


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    atomic_write(readme, updated(readme.read_text("utf-8")).encode())
