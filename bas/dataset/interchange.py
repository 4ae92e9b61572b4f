"""Labels in the forms of others, turned into SoccerNet's: OSL JSON v1 and v2, and E2E-Spot JSON.

One such file holds many videos, each a game of its own here. Sources: OpenSportsLab's
OSL-ActionSpotting (2023) and opensportslib (2026); jhong93/spot (Hong et al., 2022). Their readers
are lenient where ours is strict, so what is wrong with an entry is left for ours to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, Literal

from bas.clock import game_time, milliseconds
from bas.dataset.games import game_id
from bas.errors import DataError

Form = Literal["OSL JSON", "E2E-Spot JSON"]

_PATH_KEYS = "path_video", "path_features", "path"
_WHOLE_GAME = "224p", "720p"
_LARGEST_DENOMINATOR = 1001  # of a frame rate, as in 30000/1001


@dataclass(frozen=True, slots=True)
class Item:
    """One video of such a file with its annotations."""

    id: str
    """Of the game."""
    path: str
    """Of the video, relative to the file; without a suffix in E2E-Spot's."""
    annotations: tuple[Mapping[str, Any], ...]
    """As in `Labels-ball.json`; with `confidence` where the file holds predictions."""
    is_labeled: bool
    """Whether the file has a list for it, be it empty."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All that such a file says."""

    form: Form
    items: tuple[Item, ...]
    classes: tuple[str, ...]
    """That it names, in its order; empty if it names none."""
    split: str | None


def listing_of(content: Any, *, source: str) -> Listing | None:
    """What a parsed file lists, or None for one of another kind.

    Raises:
        DataError: it is of this kind and broken.
    """
    match content:
        case {"videos": [*videos]}:
            items = [_v1_item(video, source=source) for video in videos]
            return Listing("OSL JSON", tuple(items), _names(content.get("labels")), None)
        case {"data": [*data]}:
            metadata = content.get("metadata")
            split = metadata.get("split") if isinstance(metadata, dict) else None
            head = _only_head(data, source=source)
            items = [_v2_item(item, source=source) for item in data]
            return Listing("OSL JSON", tuple(items), _v2_classes(content.get("labels"), head), split)
        case [{"video": _, "events": _}, *_]:
            items = [_spot_item(video, source=source) for video in content]
            return Listing("E2E-Spot JSON", tuple(items), (), None)
        case _:
            return None


def soccernet_documents(content: Any, *, source: str) -> dict[str, dict[str, Any]] | None:
    """`{"annotations": [...]}` of every game in a file of others; None for a file of another kind.

    Raises:
        DataError: it is of this kind and broken, or holds a game twice.
    """
    found = listing_of(content, source=source)
    if found is None:
        return None
    documents: dict[str, dict[str, Any]] = {}
    for item in found.items:
        if item.id in documents:
            raise DataError(f"{source} lists {item.id} twice. Keep one of the two.")
        documents[item.id] = {"annotations": list(item.annotations)}
    return documents


def _v1_item(video: Any, *, source: str) -> Item:
    path = next((video[key] for key in _PATH_KEYS if key in video), None) if isinstance(video, dict) else None
    entries = video.get("annotations", []) if isinstance(video, dict) else None
    if not isinstance(path, str) or not isinstance(entries, list):
        raise DataError(
            f"{source}: {_short(video)} is not a video with path_video and a list of annotations."
        )
    annotations = tuple(_annotation(entry, _get(entry, "position")) for entry in entries)
    return Item(_id_of(path, source=source), path, annotations, "annotations" in video)


def _v2_item(item: Any, *, source: str) -> Item:
    events = item.get("events", []) if isinstance(item, dict) else None
    videos = [one for one in _list(_get(item, "inputs")) if _get(one, "type") in ("video", None)]
    path = _get(videos[0], "path") if videos else None
    if not isinstance(path, str) or not isinstance(events, list):
        raise DataError(
            f"{source}: {_short(item)} has no input of type video with a path, or no list of events."
        )
    fps = _get(videos[0], "fps")
    name = _get(item, "id")
    id_ = game_id(name, source=source) if isinstance(name, str) and name else _id_of(path, source=source)
    annotations = tuple(_annotation(event, _v2_position(event, fps)) for event in events)
    return Item(id_, path, annotations, "events" in item)


def _v2_position(event: Any, fps: Any) -> Any:
    position = _get(event, "position_ms")
    return _frame_ms(_get(event, "frame"), fps) if position is None else position


def _spot_item(video: Any, *, source: str) -> Item:
    match video:
        case {"video": str(name), "events": [*events], "fps": int() | float() as fps} if fps > 0:
            annotations = (_annotation(event, _frame_ms(_get(event, "frame"), fps)) for event in events)
            return Item(game_id(name, source=source), name, tuple(annotations), is_labeled=True)
        case _:
            raise DataError(
                f"{source}: {_short(video)} is not a video with its name, fps and list of events."
            )


def _annotation(entry: Any, position: Any) -> Mapping[str, Any]:
    """An entry in SoccerNet's words; one that is no object, or has no position, is refused by its reader."""
    if not isinstance(entry, dict):
        return {"position": None, "label": entry}
    whole = int(position) if str(position).isdecimal() else 0
    converted = {
        "gameTime": game_time(1, whole),
        "label": entry.get("label"),
        "position": position,
        "half": 1,
        "visibility": entry.get("visibility", "visible"),
    }
    confidence = entry.get("confidence_score", entry.get("confidence"))
    extra = {"team": entry.get("team"), "confidence": confidence}
    return converted | {key: value for key, value in extra.items() if value is not None}


def _frame_ms(frame: Any, fps: Any) -> Any:
    """Milliseconds of a frame of the video; what cannot be one is left as it is."""
    is_frame = isinstance(frame, int) and not isinstance(frame, bool)
    if not is_frame or not isinstance(fps, int | float) or not 0 < fps < 1000:
        return None
    return milliseconds(frame / Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR))


def _only_head(data: Sequence[Any], *, source: str) -> str | None:
    heads = {
        str(_get(event, "head"))
        for item in data
        for event in _list(_get(item, "events"))
        if _get(event, "head")
    }
    if len(heads) > 1:
        raise DataError(
            f"{source} holds events of {len(heads)} heads: {', '.join(sorted(heads))}. Keep those of one."
        )
    return next(iter(heads), None)


def _v2_classes(labels: Any, head: str | None) -> tuple[str, ...]:
    if not isinstance(labels, dict) or not labels:
        return ()
    chosen = labels.get(head) if head in labels else next(iter(labels.values()))
    return _names(_get(chosen, "labels"))


def _names(labels: Any) -> tuple[str, ...]:
    if not isinstance(labels, list):
        return ()
    return tuple(dict.fromkeys(name for name in labels if isinstance(name, str)))


def _id_of(path: str, *, source: str) -> str:
    """A game is named by its path without the suffix, and without SoccerNet's own names of whole games."""
    whole = PurePosixPath(path)
    if not whole.name:
        raise DataError(f"{source} lists a video whose path is {path!r}. Write the path of the video there.")
    named = whole.with_suffix("")
    if named.name in _WHOLE_GAME and len(named.parts) > 1:
        named = named.parent
    return game_id(str(named), source=source)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
