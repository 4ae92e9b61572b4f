"""Conversion of OSL JSON v1 and v2, and of E2E-Spot JSON, to SoccerNet's label format.

One such file lists many videos; each becomes a game of its own. Sources: OpenSportsLab's
OSL-ActionSpotting (2023) and opensportslib (2026); jhong93/spot (Hong et al., 2022). Entries are
converted leniently here, so that the strict label reader reports what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, Literal

from bas.clock import game_time, milliseconds
from bas.dataset.games import game_id
from bas.dataset.video.formats import UNTIMED_SUFFIXES, VIDEO_SUFFIXES
from bas.errors import DataError

Form = Literal["OSL JSON", "E2E-Spot JSON"]

_PATH_KEYS = "path_video", "path_features", "path"
_WHOLE_GAME = "224p", "720p"
_FILE_SUFFIXES = (
    VIDEO_SUFFIXES
    | UNTIMED_SUFFIXES
    | {
        ".h5",
        ".npy",
        ".npz",
        ".pkl",
        ".pt",
    }
)  # of videos and of feature rows
_LARGEST_DENOMINATOR = 1001  # of a frame rate, as in 30000/1001


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """One listed video with its annotations."""

    id: str
    """Id of the game."""
    path: str
    """Path of the video relative to the list; without a suffix in E2E-Spot JSON."""
    annotations: tuple[Mapping[str, Any], ...]
    """Annotations as in `Labels-ball.json`, with `confidence` if the file holds predictions."""
    is_labeled: bool
    """Whether the file has a list of annotations for the video, even an empty one."""


@dataclass(frozen=True, slots=True)
class VideoList:
    """Content of a file that lists videos."""

    form: Form
    items: tuple[ListedVideo, ...]
    classes: tuple[str, ...]
    """Declared classes in their order; empty if none are declared."""
    split: str | None
    """Declared split."""


def parse_video_list(content: Any, *, source: str) -> VideoList | None:
    """Interpret parsed JSON as a list of videos; None if it is of another kind.

    Raises:
        DataError: it is a list of videos, but invalid.
    """
    match content:
        case {"videos": [*videos]}:
            items = [_v1_item(video, source=source) for video in videos]
            return VideoList("OSL JSON", tuple(items), _names(content.get("labels")), None)
        case {"data": [*data]}:
            metadata = content.get("metadata")
            split = metadata.get("split") if isinstance(metadata, dict) else None
            head = _only_head(data, source=source)
            items = [_v2_item(item, source=source) for item in data]
            return VideoList("OSL JSON", tuple(items), _v2_classes(content.get("labels"), head), split)
        case [{"video": _, "events": _}, *_]:
            items = [_spot_item(video, source=source) for video in content]
            return VideoList("E2E-Spot JSON", tuple(items), (), None)
        case _:
            return None


def soccernet_documents(videos: VideoList, *, source: str) -> dict[str, dict[str, Any]]:
    """Content of each game of a list in SoccerNet's form, `{"annotations": [...]}`, by game id.

    Raises:
        DataError: the list has a game twice.
    """
    documents: dict[str, dict[str, Any]] = {}
    for item in videos.items:
        if item.id in documents:
            raise DataError(f"{source} lists {item.id} twice. Keep one of them.")
        documents[item.id] = {"annotations": list(item.annotations)}
    return documents


def _v1_item(video: Any, *, source: str) -> ListedVideo:
    path = next((video[key] for key in _PATH_KEYS if key in video), None) if isinstance(video, dict) else None
    entries = video.get("annotations", []) if isinstance(video, dict) else None
    if not isinstance(path, str) or not isinstance(entries, list):
        raise DataError(
            f"{source}: invalid video {_short(video)}. Expected path_video and a list of annotations."
        )
    annotations = tuple(_annotation(entry, _get(entry, "position")) for entry in entries)
    return ListedVideo(_id_of(path, source=source), path, annotations, "annotations" in video)


def _v2_item(item: Any, *, source: str) -> ListedVideo:
    events = item.get("events", []) if isinstance(item, dict) else None
    videos = [one for one in _list(_get(item, "inputs")) if _get(one, "type") in ("video", None)]
    path = _get(videos[0], "path") if videos else None
    if not isinstance(path, str) or not isinstance(events, list):
        raise DataError(
            f"{source}: invalid item {_short(item)}. Expected an input of type video with a path, and a list of events."
        )
    fps = _get(videos[0], "fps")
    name = _get(item, "id")
    id_ = game_id(name, source=source) if isinstance(name, str) and name else _id_of(path, source=source)
    annotations = tuple(_annotation(event, _v2_position(event, fps)) for event in events)
    return ListedVideo(id_, path, annotations, "events" in item)


def _v2_position(event: Any, fps: Any) -> Any:
    position = _get(event, "position_ms")
    return _frame_ms(_get(event, "frame"), fps) if position is None else position


def _spot_item(video: Any, *, source: str) -> ListedVideo:
    match video:
        case {"video": str(name), "events": [*events], "fps": int() | float() as fps} if fps > 0:
            annotations = (_annotation(event, _frame_ms(_get(event, "frame"), fps)) for event in events)
            return ListedVideo(game_id(name, source=source), name, tuple(annotations), is_labeled=True)
        case _:
            raise DataError(
                f"{source}: invalid video {_short(video)}. Expected its name, fps and a list of events."
            )


def _annotation(entry: Any, position: Any) -> Mapping[str, Any]:
    """Convert an entry to SoccerNet's keys; the label reader refuses entries that are not objects or lack a position."""
    if not isinstance(entry, dict):
        return {"position": None, "label": entry}
    position_ms = int(position) if str(position).isdecimal() else 0  # others are refused by the label reader
    converted = {
        "gameTime": game_time(1, position_ms),
        "label": entry.get("label"),
        "position": position,
        "half": 1,
        "visibility": entry.get("visibility", "visible"),
    }
    # VideoAnnotationTool, opensportslib, and E2E-Spot with its descendants, such as T-DEED.
    confidence = next(
        (entry[key] for key in ("confidence_score", "confidence", "score") if key in entry), None
    )
    extra = {"team": entry.get("team"), "confidence": confidence}
    return converted | {key: value for key, value in extra.items() if value is not None}


def _frame_ms(frame: Any, fps: Any) -> Any:
    """Position of a frame of the video in milliseconds; None if frame or rate is invalid."""
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
            f"{source} has events of {len(heads)} heads: {', '.join(sorted(heads))}. Keep the events of one head."
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
    """Game id of a path: without a file suffix, and without the last part if that is 224p or 720p."""
    file = PurePosixPath(path)
    if not file.name:
        raise DataError(f"{source} lists a video with the path {path!r}. Expected the path of a file.")
    # "1. FC Koln" has a dot but no suffix.
    name = file.with_suffix("") if file.suffix.lower() in _FILE_SUFFIXES else file
    if name.name in _WHOLE_GAME and len(name.parts) > 1:
        name = name.parent
    return game_id(str(name), source=source)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
