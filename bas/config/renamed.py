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


def new_name(key: Sequence[str]) -> str | None:
    """Current dotted name of a key that was renamed, given as its parts; None for any other key."""
    for old, new in _RENAMED.items():
        parts = old.split(".")
        if len(parts) == len(key) and all(part in ("*", own) for part, own in zip(parts, key, strict=True)):
            return ".".join([*key[:-1], new.rpartition(".")[2]])
    return None


def upgrade(stored: Mapping[str, Any], *, section: Sequence[str] = ()) -> dict[str, Any]:
    """Stored settings under their current names; those that have them already are returned unchanged.

    Args:
        stored: settings as an earlier version may have written them.
        section: path from the top of the settings to `stored`.
    """
    upgraded = {}
    for key, value in stored.items():
        path = (*section, key)
        name = (new_name(path) or key).rpartition(".")[2]
        upgraded[name] = upgrade(value, section=path) if isinstance(value, Mapping) else value
    return upgraded
