"""Renamed settings keys, for reading what older versions stored and for error messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_RENAMED = {
    "fit.floor": "fit.min_lr_ratio",
    "finetune.floor": "finetune.min_lr_ratio",
    "fit.start_from": "fit.init_from",
    "fit.clear_window": "fit.hard_negative_margin",
    "peaks.height": "peaks.min_score",
    "peaks.distance": "peaks.min_distance",
    "peaks.classes.*.height": "peaks.classes.*.min_score",
    "peaks.classes.*.distance": "peaks.classes.*.min_distance",
}
"""Old to new name; `*` is the name of an action. A rename stays inside its section."""


_FORMER = {new: old for old, new in _RENAMED.items()}


def new_name(key: Sequence[str]) -> str | None:
    """Current dotted name of a key that was renamed, given as its parts; None for any other key."""
    return _renamed(key, _RENAMED)


def upgrade(stored: Mapping[str, Any], *, section: Sequence[str] = ()) -> dict[str, Any]:
    """Stored settings under their current names; those that have them already are returned unchanged.

    Args:
        stored: settings as an earlier version may have written them.
        section: path from the top of the settings to `stored`.
    """
    return _translated(stored, _RENAMED, section)


def under_former_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings under the names they had before any rename.

    The name of a run is a hash of its settings: by these names, which no rename changes, the command that started
    a run finds it again after bas was updated.
    """
    return _translated(settings, _FORMER, ())


def _translated(
    values: Mapping[str, Any], names: Mapping[str, str], section: Sequence[str]
) -> dict[str, Any]:
    translated = {}
    for key, value in values.items():
        path = (*section, key)
        name = (_renamed(path, names) or key).rpartition(".")[2]
        translated[name] = _translated(value, names, path) if isinstance(value, Mapping) else value
    return translated


def _renamed(key: Sequence[str], names: Mapping[str, str]) -> str | None:
    for found, other in names.items():
        parts = found.split(".")
        if len(parts) == len(key) and all(part in ("*", own) for part, own in zip(parts, key, strict=True)):
            return ".".join([*key[:-1], other.rpartition(".")[2]])
    return None
