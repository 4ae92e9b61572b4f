"""Renamed and added settings, for reading what older versions stored, error messages and the names of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_Names = Mapping[tuple[str, ...], Mapping[str, str]]

_OF_DETECTIONS = {"height": "min_score", "distance": "min_distance"}
_NEW_NAMES: _Names = {
    ("fit",): {"floor": "min_lr_ratio", "start_from": "init_from", "clear_window": "hard_negative_margin"},
    ("finetune",): {"floor": "min_lr_ratio"},
    ("peaks",): _OF_DETECTIONS,
    ("peaks", "classes", "*"): _OF_DETECTIONS,
}
"""Old to new names of the keys in a section; `*` is the name of an action."""
_FORMER_NAMES: _Names = {
    section: {new: old for old, new in names.items()} for section, names in _NEW_NAMES.items()
}


_ADDED: Mapping[str, Mapping[str, Any]] = {"extract": {"normalize": False}}
"""Settings that came later, with the value that changes nothing."""


def new_name(key: Sequence[str]) -> str | None:
    """Current dotted name of a key that was renamed, given as its parts; None for any other key."""
    *section, name = key
    renamed = _names_in(section, _NEW_NAMES).get(name)
    return None if renamed is None else ".".join([*section, renamed])


def upgrade(stored: Mapping[str, Any], *, section: Sequence[str] = ()) -> dict[str, Any]:
    """Stored settings under their current names; those that have them already are returned unchanged.

    Args:
        stored: settings as an earlier version may have written them.
        section: path from the top of the settings to `stored`.
    """
    return _translated(stored, _NEW_NAMES, section)


def as_in_run_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings under the names they had before any rename, without later ones that change nothing.

    The name of a run is a hash of these: the command that started a run finds it again after bas was updated.
    """
    first = {
        section: {
            key: value for key, value in values.items() if value != _ADDED.get(section, {}).get(key, ...)
        }
        if isinstance(values, Mapping)
        else values
        for section, values in settings.items()
    }
    return _translated(first, _FORMER_NAMES, ())


def _translated(values: Mapping[str, Any], names: _Names, section: Sequence[str]) -> dict[str, Any]:
    here = _names_in(section, names)
    return {
        here.get(key, key): _translated(inner, names, (*section, key))
        if isinstance(inner, Mapping)
        else inner
        for key, inner in values.items()
    }


def _names_in(section: Sequence[str], names: _Names) -> Mapping[str, str]:
    return names.get((*section[:2], *("*" for _ in section[2:])), {})
