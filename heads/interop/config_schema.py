"""Form of a model's config.json: what its readers rely on is checked once, when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

_MAX_SIDE = 65_536


def is_model_config(config: Mapping[str, Any]) -> bool:
    """Whether a config has all parts that describe a model or an ensemble; its settings are checked elsewhere."""
    match config:
        case {
            "bas": str(),
            "reads": "luma" | "rows" | "runs",
            "settings": {"extract": dict(), "head": {"kind": str()}, "peaks": dict()},
            "classes": [_, *_] as classes,
            "metrics": dict(),
            "data": dict(),
        }:
            return (
                _are_texts(classes)
                and _are_texts(config.get("merged", []))
                and _are_texts(config.get("learned", []))
                and (config["reads"] == "runs" or _is_shape(config.get("row_shape")))
                and _are_members(config.get("members", []))
                and ("tuning" not in config or _is_tuning(config["tuning"]))
            )
    return False


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _is_shape(shape: Any) -> bool:
    match shape:
        case [int(channels), int(height), int(width)]:
            return 0 < channels <= _MAX_SIDE and 0 < height <= _MAX_SIDE and 0 < width <= _MAX_SIDE
    return False


def _are_members(members: Any) -> bool:
    return isinstance(members, list) and all(_is_member(member) for member in members)


def _is_member(member: Any) -> bool:
    match member:
        case {"folder": str(folder), "weight": float() | int() as weight} if 0 < weight <= 1:
            path = PurePosixPath(folder)  # of a shared model, which may come from anyone
            return not path.is_absolute() and ".." not in path.parts
    return False


def _is_tuning(tuning: Any) -> bool:
    match tuning:
        case {
            "games": games,
            "before": dict(),
            "mAP@1 before": float() | int(),
            "mAP@1 tuned": float() | int(),
            "mAP@1": float() | int(),
        }:
            return _are_texts(games)
    return False
