"""Moments of a match as short videos: every event that a model claims, or its worst mistakes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bas import console
from bas.clock import game_time
from bas.dataset.containers import open_video
from bas.errors import DataError, MissingError
from bas.files import atomic_write, read_json
from bas.types import Game

if TYPE_CHECKING:
    from av import VideoFrame

_BEFORE_MS, _AFTER_MS = 2000, 2000
_QUALITY = "20"  # of x264, where 18 cannot be told from the source


def cut_clips(report: Path, games: Sequence[Game], out: Path, *, mistakes: int | None = None) -> list[Path]:
    """Cut a clip around every claim of an evaluation, or around its worst mistakes.

    Args:
        report: report.json of `bas eval`.
        games: that were scored, with their videos.
        out: folder for the clips; their names tell time, label and confidence.
        mistakes: how many of the surest false alarms and confusions, and as many misses; None cuts every claim.

    Raises:
        MissingError: there is no report, or a video is not there.
        DataError: the report is of another kind, or a video cannot be read.
    """
    outcomes = read_json(report).get("outcomes")
    if not isinstance(outcomes, list):
        raise DataError(f"{report} holds no outcomes. Write it anew: bas eval.")
    chosen = [one for one in outcomes if one["claimed"]] if mistakes is None else _worst(outcomes, mistakes)
    videos = {(game.id, video.half): video.path for game in games for video in game.videos}
    made = []
    with console.progress("cutting", len(chosen), unit="clips") as advance:
        for one in chosen:
            path = out / one["game"] / _name(one)
            if not path.exists():
                atomic_write(path, cut(_video(videos, one), position_ms=one["position_ms"]))
            made.append(path)
            advance()
    return made


def cut(video: Path, *, position_ms: int) -> bytes:
    """An mp4 (H.264, no sound) of the pictures from two seconds before a moment to two after it.

    Raises:
        MissingError, DataError: the video is not there, or has no picture there.
    """
    import av

    memory = io.BytesIO()
    with open_video(video) as source:
        rate = source.average_rate or Fraction(25)
        pictures = _between(source, position_ms - _BEFORE_MS, position_ms + _AFTER_MS)
        first = next(pictures, None)
        if first is None:
            raise DataError(
                f"{video} has no picture at {game_time(1, max(0, position_ms))}: is it the one that was scored?"
            )
        with av.open(memory, "w", format="mp4") as output:
            stream: Any = output.add_stream(
                "libx264", rate=rate, options={"crf": _QUALITY, "preset": "veryfast"}
            )
            stream.width, stream.height = first.width // 2 * 2, first.height // 2 * 2
            stream.pix_fmt, stream.time_base = "yuv420p", source.time_base
            stream.codec_context.time_base = source.time_base
            start = first.pts or 0
            for picture in (first, *pictures):
                shown = picture.reformat(stream.width, stream.height, "yuv420p")
                shown.pts, shown.time_base = (picture.pts or 0) - start, source.time_base
                output.mux(stream.encode(shown))
            output.mux(stream.encode(None))
    return memory.getvalue()


def _between(stream: Any, start_ms: int, stop_ms: int) -> Iterator[VideoFrame]:
    """Pictures by their time from the first one of the video."""
    origin, base = stream.start_time or 0, stream.time_base
    low, high = (origin + int(Fraction(max(0, at), 1000) / base) for at in (start_ms, stop_ms))
    stream.container.seek(low, stream=stream, backward=True)
    for picture in stream.container.decode(stream):
        if picture.pts is None or picture.pts < low:
            continue
        if picture.pts > high:
            return
        yield picture


def _worst(outcomes: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    wrong = [one for one in outcomes if one["kind"] in ("false alarm", "confused")]
    missed = [one for one in outcomes if one["kind"] == "missed"]
    return [*sorted(wrong, key=lambda one: -one["confidence"])[:count], *missed[:count]]


def _name(one: Mapping[str, Any]) -> str:
    """`1-03-21.4 PASS 0.83 found.mp4`"""
    position_ms = one["position_ms"]
    time = game_time(one["half"], position_ms).replace(" - ", "-").replace(":", "-")
    label = one["label"] or one["claimed"]
    if one["kind"] == "confused":
        label = f"{one['label']} as {one['claimed']}"
    sure = "" if one["confidence"] is None else f" {one['confidence']:.2f}"
    return f"{time}.{position_ms % 1000 // 100} {label}{sure} {one['kind']}.mp4"


def _video(videos: Mapping[tuple[str, int], Path], one: Mapping[str, Any]) -> Path:
    path = videos.get((one["game"], one["half"]))
    if path is None:
        raise MissingError(
            f"{one['game']}, half {one['half']}, has no video here. Give the data that was scored: --data."
        )
    return path
