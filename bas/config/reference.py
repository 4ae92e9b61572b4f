"""Reference of all settings, read from the JSON schema of their models.

configs/README.md and `bas settings` print it, and messages about a wrong value quote from it.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bas.config.pipeline import Pipeline
from bas.errors import SettingsError
from bas.files import atomic_write

Schema = Mapping[str, Any]

_MARKER = "<!-- The rest of this file is generated: `make settings`. -->\n"
_TYPES = {
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "string": "text",
    "array": "list",
    "null": "null",
}
_BOUNDS = {
    "exclusiveMinimum": ">",
    "minimum": ">=",
    "exclusiveMaximum": "<",
    "maximum": "<=",
    "multipleOf": "multiple of",
}


class SettingRow(NamedTuple):
    """One setting, as the reference describes it."""

    setting: str
    """Full name, as in `--set KEY=VALUE`."""
    type: str
    default: str
    """Default as YAML."""
    values: str
    """Range or choices; empty if the type says it all."""
    meaning: str


class SettingsSection(NamedTuple):
    """The settings of one section, or of one kind of head."""

    name: str
    """Section, and the kind of a head after a dot."""
    summary: str
    rows: Sequence[SettingRow]


def settings_sections() -> list[SettingsSection]:
    """All settings by section; heads by kind, and augmentation apart from the rest of its section."""
    sections = []
    for key, field in schema_at(())["properties"].items():
        for choice in field.get("oneOf", [field]):
            model = _resolved(choice)
            name = f"{key}.{model['properties']['kind']['const']}" if "oneOf" in field else key
            sections.append(_section(name, key, model))
            for part, inner in model["properties"].items():
                if "$ref" in inner:
                    sections.append(_section(f"{key}.{part}", f"{key}.{part}", _resolved(inner)))
    return sections


def find_settings(name: str) -> list[SettingsSection]:
    """Settings whose names begin with `name`, by section; a section may be named by its last part, such as `netvlad`.

    Raises:
        SettingsError: there are none.
    """
    sections, found = settings_sections(), []
    for section in sections:
        whole = f".{name}." in f".{section.name}."
        rows = [row for row in section.rows if whole or row.setting.startswith(name)]
        found += [section._replace(rows=rows)] if rows else []
    if not found:
        names = [section.name for section in sections]
        near = difflib.get_close_matches(
            name, [*names, *(row.setting for one in sections for row in one.rows)], 1
        )
        hint = f"Did you mean {near[0]!r}?" if near else f"Available: {', '.join(names)}."
        raise SettingsError(f"Unknown setting or section {name!r}. {hint}")
    return found


def markdown() -> str:
    """The reference as Markdown, one table per section."""
    lines: list[str] = []
    for section in settings_sections():
        lines += [f"## {section.name}", "", section.summary, ""]
        lines += [_markdown_row(SettingRow._fields), _markdown_row("---" for _ in SettingRow._fields)]
        for row in section.rows:
            key, type_, default, values, meaning = (cell.replace("|", "\\|") for cell in row)
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


def write_reference(readme: str) -> None:
    """Bring the reference in configs/README.md up to date."""
    path = Path(readme)
    atomic_write(path, updated(path.read_text("utf-8")).encode())


def schema_at(path: Iterable[str | int]) -> Schema:
    """JSON schema of a setting, section or list element, where a head is followed by its kind; empty if there is none."""
    found: Schema = _root()
    for part in path:
        kinds = found.get("discriminator", {}).get("mapping", {})
        inner: dict[str | int, Schema] = {
            **found.get("properties", {}),
            **{kind: {"$ref": ref} for kind, ref in kinds.items()},
            **dict(enumerate(found.get("prefixItems", ()))),
        }
        # What has no name of its own: settings of single actions (False elsewhere), and points of a list of any length.
        unnamed: Schema = found.get("additionalProperties") or found.get("items") or {}
        found = _resolved(inner.get(part, unnamed))
    return found


def type_of(schema: Schema) -> str:
    """Type of a setting in words."""
    if "enum" in schema or "const" in schema:
        return "choice"
    if "anyOf" in schema:
        return " or ".join(map(type_of, schema["anyOf"]))
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])} {type_of(schema['prefixItems'][0])}s"
    return _TYPES.get(schema.get("type", "object"), "mapping")


def values_of(schema: Schema) -> str:
    """Choices or range of a setting, and of the elements of a list; empty if the type says it all."""
    if "enum" in schema or "const" in schema:
        return ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    if "prefixItems" in schema:
        bounds = values_of(schema["prefixItems"][0])
        return f"each {bounds}" if bounds else ""
    bounded = schema.get("anyOf", [schema])[0]  # the other alternative is null
    return ", ".join(f"{sign} {bounded[bound]}" for bound, sign in _BOUNDS.items() if bound in bounded)


@functools.cache
def _root() -> Schema:
    return Pipeline.model_json_schema()


def _resolved(schema: Schema) -> Schema:
    """The model that a schema refers to, or the schema itself."""
    return _root()["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _section(name: str, key: str, model: Schema) -> SettingsSection:
    return SettingsSection(name, _one_line(model["description"]), tuple(_rows(key, model)))


def _rows(key: str, model: Schema) -> Iterator[SettingRow]:
    """Rows of a section; those of a transform inside it follow under its name."""
    for name, schema in sorted(model["properties"].items(), key=lambda item: item[0] != "kind"):  # kind first
        setting, meaning = f"{key}.{name}", _one_line(schema["description"])
        if "$ref" not in schema:
            default = schema.get("default", {})  # the schema omits a default that is made anew each time
            text = default if isinstance(default, str) and default else json.dumps(default)
            yield SettingRow(setting, type_of(schema), text, values_of(schema), meaning)
        elif "." in key:  # a section inside a section has a table of its own
            first, *others = _rows(setting, _resolved(schema))
            yield first._replace(meaning=f"{meaning} {first.meaning}")  # only here: it need not be repeated
            yield from others


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
