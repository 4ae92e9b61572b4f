"""Strict reader of SoccerNet label files; an error lists every mistake in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bas.clock import game_time
from bas.dataset.annotations.fields import contradicts, half_and_time, is_beyond, whole_number
from bas.dataset.annotations.label_files import LabelFile, read_label_file
from bas.dataset.video.probe import length_ms
from bas.errors import DataError, MissingError
from bas.messages import counted, did_you_mean, listing, quote
from bas.types import Game, Spot

TeamWords = Literal["left/right", "home/away"]

_TEAMS: Mapping[str, TeamWords] = {
    "left": "left/right",
    "right": "left/right",
    "home": "home/away",
    "away": "home/away",
}

_NO_TEAM = "not applicable"

_VISIBILITY = {"visible": True, "not shown": False}

_LONGEST_MS = 24 * 60 * 60 * 1000

_SHOWN = 10  # mistakes listed in a message
_MOST_CONTRADICTIONS = 0.5  # share of a file's annotations; with more, its positions count from elsewhere


@dataclass(frozen=True, slots=True)
class Labels:
    """The spots of one game."""

    spots: tuple[Spot, ...]
    """Spots sorted by half and position, which may coincide; the last may lie one frame beyond the end of the video."""
    warnings: tuple[str, ...]
    """Harmless oddities of the file, as messages."""

    @property
    def counts(self) -> Counter[str]:
        """Number of spots of each class."""
        return Counter(spot.label for spot in self.spots)

    @property
    def team_words(self) -> TeamWords | None:
        """Naming of the teams; None if no spot has a team."""
        return next((_TEAMS[spot.team] for spot in self.spots if spot.team), None)


def labels_of(game: Game, classes: Sequence[str]) -> Labels:
    """Read the labels of a game, checked against the lengths of its existing videos.

    Raises:
        MissingError: the game has no labels.
        DataError: as `read_annotations`, or a video file is not a video.
    """
    if game.labels is None:
        folder = game.videos[0].path.parent
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise MissingError(
            f"{game.id} has no labels. Expected Labels-ball.json, Labels-v2.json, or <stem>.json for a video of your own, "
            f"in {folder}; the folder contains {listing(there)}."
        )
    ends = {video.half: length_ms(video.path) for video in game.videos if video.path.is_file()}
    halves = {video.half for video in game.videos}
    return read_annotations(game.labels, classes=classes, halves=halves, video_ms=ends, game=game.id)


def read_annotations(
    path: Path,
    *,
    classes: Sequence[str],
    halves: Collection[int],
    video_ms: Mapping[int, int] | None = None,
    game: str | None = None,
) -> Labels:
    """Read `Labels-ball.json`, `Labels-v2.json` or a file of the same format, or OSL JSON or E2E-Spot JSON.

    Positions are integers or strings of digits. The game time gives the half; where it contradicts the position,
    the position counts, as for the official scorer, with a warning. A file in which most contradict is refused.
    `team` and `visibility` are optional. Exact duplicates are dropped with a warning.

    Args:
        path: label file.
        classes: allowed labels.
        halves: allowed halves.
        video_ms: length of each half's video in milliseconds, where known; one frame more is tolerated.
        game: id of the game to read from a file with several.

    Raises:
        MissingError: `path` does not exist.
        DataError: counts the mistakes in the file, and lists the first ten.
    """
    content = _of_game(path, read_label_file(path), game)
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(annotations, list):
        raise DataError(f"{path} has no list of annotations. Restore the file from its source.")
    reader = _Reader(tuple(classes), frozenset(halves), video_ms or {})
    spots: list[Spot] = []
    problems: list[str] = []
    contradictions: list[str] = []
    for i, annotation in enumerate(annotations):
        try:
            spots.append(reader.spot(annotation))
        except _Mistake as mistake:
            problems.append(f"annotations[{i}]: {mistake}")
        else:
            contradictions += [f"annotations[{i}]: {text}" for text in _contradiction(annotation, spots[-1])]
    if len(contradictions) > _MOST_CONTRADICTIONS * len(annotations):
        problems += contradictions
    problems += _mixed_teams(spots)
    if problems:
        raise DataError(_message(path, problems, len(annotations)))
    kept = dict.fromkeys(spots)
    warnings = [
        *_misfiled(path, content.get("UrlLocal")),
        *_duplicates(path, spots, kept),
        *_contradicting(path, contradictions),
    ]
    return Labels(tuple(sorted(kept, key=lambda spot: (spot.half, spot.position_ms))), tuple(warnings))


def require_left_right(labels: Labels, *, source: str) -> None:
    """Check that the team of every spot is left or right.

    Raises:
        DataError: teams are home and away, or some spots have no team.
    """
    without_team = sum(spot.team is None for spot in labels.spots)
    if labels.team_words == "home/away":
        problem = "names teams as home and away"
    elif without_team:
        problem = f"has no team for {without_team:,} of its {counted(len(labels.spots), 'action')}"
    else:
        return
    raise DataError(
        f"{source} {problem}; predicting teams needs left or right, the side of the picture. SoccerNet's 2025 "
        "edition (spotting-ball-2025) labels the same games that way: use its Labels-ball.json files, or pass "
        "--set fit.teams=none to bas fit-head."
    )


def _of_game(path: Path, file: LabelFile, game: str | None) -> Any:
    """Annotations of one game in a file; if the file holds a single game, its id need not match."""
    if file.videos is None:
        return file.content
    if game is not None and game in file.documents:
        return file.documents[game]
    if len(file.documents) != 1:
        raise DataError(
            f"{path} lists {listing(list(file.documents), shown=3)}, but not {game}. Add its events to the file."
        )
    return next(iter(file.documents.values()))


class _Mistake(Exception):
    """One mistake in an annotation."""


@dataclass(frozen=True, slots=True)
class _Reader:
    classes: tuple[str, ...]
    halves: frozenset[int]
    video_ms: Mapping[int, int]

    def spot(self, annotation: Any) -> Spot:
        if not isinstance(annotation, dict):
            raise _Mistake(
                f"invalid annotation {quote(annotation)}; expected an object with gameTime, label and position"
            )
        position_ms = _position(annotation.get("position"))
        return Spot(
            position_ms=position_ms,
            label=self._label(annotation.get("label")),
            team=_team(annotation.get("team")),
            visible=_visible(annotation.get("visibility", "visible")),
            half=self._half(annotation.get("gameTime"), position_ms),
        )

    def _label(self, value: Any) -> str:
        if value in self.classes:
            return str(value)
        raise _Mistake(f"unknown label {quote(value)}{did_you_mean(value, self.classes)}")

    def _half(self, value: Any, position_ms: int) -> int:
        parsed = half_and_time(value)
        if parsed is None:
            raise _Mistake(f"invalid gameTime {quote(value)}; expected '1 - MM:SS'")
        half, _ = parsed
        if half not in self.halves:
            expected = " or ".join(str(half) for half in sorted(self.halves))
            raise _Mistake(f"invalid half {half} in gameTime {value!r}; the videos are of half {expected}")
        end = self.video_ms.get(half)
        if end is not None and is_beyond(position_ms, end):
            raise _Mistake(
                f"position {position_ms:,} ms is beyond the end of the video at {end:,} ms (+{(position_ms - end) / 1000:.1f} s)"
            )
        return half


def _position(value: Any) -> int:
    position_ms = whole_number(value)
    if position_ms is None:
        raise _Mistake(
            f'invalid position {quote(value)}; expected whole milliseconds from 0 on, such as "12360"'
        )
    if position_ms > _LONGEST_MS:
        raise _Mistake(f"invalid position {quote(value)}; expected at most {_LONGEST_MS:,} ms (one day)")
    return position_ms


def _team(value: Any) -> str | None:
    if value is None or value == _NO_TEAM:
        return None
    if isinstance(value, str) and value in _TEAMS:
        return value
    raise _Mistake(f"unknown team {quote(value)}{did_you_mean(value, (*_TEAMS, _NO_TEAM))}")


def _visible(value: Any) -> bool:
    if isinstance(value, str) and value in _VISIBILITY:
        return _VISIBILITY[value]
    raise _Mistake(f"unknown visibility {quote(value)}{did_you_mean(value, tuple(_VISIBILITY))}")


def _mixed_teams(spots: Iterable[Spot]) -> list[str]:
    words = {_TEAMS[spot.team] for spot in spots if spot.team}
    return ["teams are named both left/right and home/away"] if len(words) > 1 else []


def _message(path: Path, problems: Sequence[str], num_annotations: int) -> str:
    lines = [f"Mistakes in {path} ({len(problems):,} in {counted(num_annotations, 'annotation')}):"]
    lines += [f"  {path.name}:{problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN:,} more")
    lines.append("Correct them, or restore the file from its source.")
    return "\n".join(lines)


def _misfiled(path: Path, url: Any) -> list[str]:
    """Warn about a SoccerNet file that names another game than that of its folder."""
    folder = path.absolute().parent.name
    if not path.name.startswith("Labels-") or not isinstance(url, str) or not url.strip("/"):
        return []
    name = url.strip("/").rpartition("/")[2]
    return [f"{path} is labeled as {name!r}, but is in the folder {folder!r}"] if name != folder else []


def _contradiction(annotation: Mapping[str, Any], spot: Spot) -> list[str]:
    """How the game time of a valid annotation contradicts its position; empty if it does not."""
    time = annotation["gameTime"]
    parsed = half_and_time(time)
    assert parsed is not None  # it gave the half
    if not contradicts(parsed[1], spot.position_ms):
        return []
    own = game_time(spot.half, spot.position_ms)
    return [f"gameTime {time!r} contradicts position {spot.position_ms:,} ms ({own})"]


def _contradicting(path: Path, contradictions: Sequence[str]) -> list[str]:
    if not contradictions:
        return []
    used = f"used the position of {counted(len(contradictions), 'annotation')} with another gameTime"
    return [f"{path}: {used}, as the official scorer does ({listing(contradictions, shown=1)})"]


def _duplicates(path: Path, spots: Sequence[Spot], kept: Collection[Spot]) -> list[str]:
    twice = len(spots) - len(kept)
    return [f"{path}: dropped {counted(twice, 'duplicate annotation')}"] if twice else []
