"""Strict YAML: no duplicate keys, plain words stay words, and a small file stays small in memory."""

from __future__ import annotations

import re
from typing import Any

import yaml

from bas.errors import SettingsError

_MAX_SIZE = 100_000
_CHARACTERS = 64  # of a text, that count as one value


def parse_yaml(text: str, *, source: str) -> Any:
    """Parse a YAML document; error messages name `source` as its origin.

    Raises:
        SettingsError: it is not strict YAML, or too large once its aliases are written out.
    """
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {})
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"Invalid YAML in {source}: {error}") from error


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values below a node with all aliases written out, which take no room in the file, but later do."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MAX_SIZE + 1  # found again below itself
    match node:
        case yaml.MappingNode():
            size = 1 + sum(_size(one, known) for pair in node.value for one in pair)
        case yaml.SequenceNode():
            size = 1 + sum(_size(one, known) for one in node.value)
        case _:
            size = 1 + len(node.value) // _CHARACTERS
    if size > _MAX_SIZE:
        raise yaml.YAMLError(f"too large: more than {_MAX_SIZE:,} values, with aliases written out")
    known[id(node)] = size
    return size


class _StrictLoader(yaml.SafeLoader):
    """YAML loader with the booleans of YAML 1.2, without dates and times, that refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # PyYAML keeps the last of two equal keys without a word.
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | None):
                raise yaml.YAMLError(f"a key must be a word or a number{key_node.start_mark}")
            if key in seen:
                raise yaml.YAMLError(f"duplicate key {key!r}{node.start_mark}")
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads no, on and y as booleans, 2024-10-01 as a date and 12:30 as 750, where a name or folder is meant.
_UNWANTED = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")


def _without_times(tag: str, pattern: re.Pattern[str]) -> re.Pattern[str]:
    if tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
        return re.compile(f"(?!.*:)(?:{pattern.pattern})", re.VERBOSE)
    return pattern


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, _without_times(tag, pattern)) for tag, pattern in resolvers if tag not in _UNWANTED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(_UNWANTED[0], re.compile(r"true|false"), list("tf"))
