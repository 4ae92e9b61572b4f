"""Mistakes in settings as messages: pydantic's findings in the words of bas."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bas.config.heads import HEAD_KINDS
from bas.config.reference import schema_at, type_of, values_of
from bas.config.renamed import new_name
from bas.messages import did_you_mean, quote

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def describe(mistake: ErrorDetails) -> str:
    """One line: the setting, what was found, and what is expected."""
    path, found = mistake["loc"], mistake["input"]
    key = [
        part for part in path if isinstance(part, str)
    ]  # a list is set as a whole: no index of its element
    if key[0] == "head" and len(key) > 2:
        del key[1]  # the kind, which pydantic puts between the section and the setting
    match mistake["type"]:
        case "union_tag_not_found":
            text = f"these settings need a head; set head.kind, too, to {' or '.join(HEAD_KINDS)}"
        case "union_tag_invalid":
            text = f"unknown kind {quote(found['kind'])}{did_you_mean(found['kind'], HEAD_KINDS)}"
        case "extra_forbidden" if renamed := new_name(key):
            text = f"this setting is now called {renamed}"
        case "extra_forbidden":
            text = f"unknown setting{_suggestion(key, schema_at(path[:-1]).get('properties', ()))}"
        case "value_error" if isinstance(found, Mapping):  # settings that do not fit together
            text = str(mistake["ctx"]["error"])
        case "value_error":
            text = f"found {quote(found)}, expected {mistake['ctx']['error']}"
        case _:
            # The value of a missing element is its list, of the wrong length.
            schema = schema_at(path[:-1] if mistake["type"] == "missing" else path)
            kind = "one of" if "enum" in schema else type_of(schema)
            text = f"found {quote(found)}, expected {kind} {values_of(schema)}".rstrip()
    return f"{'.'.join(key)}: {text}"


def _suggestion(key: Sequence[str], known: Iterable[str]) -> str:
    """The nearest of the settings `known` in the section of an unknown key, in brackets; empty if none is near."""
    *section, name = key
    # A name that contains the other is nearer than any similar spelling: window means window_seconds, not kind.
    nested = [one for one in known if min(len(one), len(name)) > 2 and (one in name or name in one)]
    near = difflib.get_close_matches(name, nested, 1, cutoff=0.0) or difflib.get_close_matches(
        name, known, 1, cutoff=0.7
    )
    return f" (did you mean {'.'.join([*section, near[0]])}?)" if near else ""
