"""Color pictures of a video in, H.264 out: one picture in memory at a time, every presentation time kept."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from bas.dataset import VideoTimes
from bas.errors import DataError
from bas.extract.seek import entry, open_at
from bas.files import publish

if TYPE_CHECKING:
    from av import VideoFrame

_MOST_PIXELS = 4096 * 2304
_ENCODER = {
    "preset": "veryfast",
    "crf": "20",
    "bf": "0",
}  # without B-frames every player shows the exact first
_KEYFRAME_SECONDS = 2


def read_pictures(times: VideoTimes, *, start_pts: int, stop_pts: int) -> Generator[VideoFrame, None, None]:
    """The pictures whose time is in [start_pts, stop_pts), in order, decoded from a keyframe before them.

    What cannot be decoded is passed over.

    Raises:
        DataError: the file cannot be read.
    """
    import av

    with open_at(times, entry(times, start_pts).decode_from) as (stream, packets):
        stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}
        latest = start_pts - 1
        for packet in packets:
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is not None and frame.pts >= stop_pts:
                    return
                if frame.pts is not None and frame.pts > latest:
                    latest = frame.pts
                    yield frame


def encode(path: Path, pictures: Iterable[VideoFrame], times: VideoTimes, *, origin_pts: int) -> None:
    """Write pictures as an MP4 file without sound, whole or not at all.

    Args:
        path: of the file.
        pictures: of one even size, with times of the video.
        times: of the video that they are from.
        origin_pts: time that becomes 0; a picture before it is left out.

    Raises:
        DataError: there is no picture.
        OutputError: the disk is full.
    """
    source = (picture for picture in pictures if picture.pts is not None and picture.pts >= origin_pts)
    first = next(source, None)
    if first is None:
        raise DataError(f"{times.path} has no picture for {path.name}. Copy or download it again.")
    publish(path, lambda descriptor: _encode(descriptor, first, source, times, origin_pts), size=0)


def _encode(
    descriptor: int, first: VideoFrame, rest: Iterable[VideoFrame], times: VideoTimes, origin_pts: int
) -> None:
    import av
    from av.video.frame import PictureType

    with os.fdopen(os.dup(descriptor), "wb") as file, av.open(file, "w", format="mp4") as container:
        rate = times.fps.limit_denominator(1 << 16)
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        context = stream.codec_context
        stream.time_base = context.time_base = times.time_base
        context.gop_size = max(1, round(_KEYFRAME_SECONDS * rate))
        context.color_range, context.colorspace = first.color_range, first.colorspace
        context.options = _ENCODER
        for picture in chain([first], rest):
            assert picture.pts is not None
            shown = picture if picture.format.name == "yuv420p" else picture.reformat(format="yuv420p")
            shown.pts, shown.time_base = picture.pts - origin_pts, times.time_base
            shown.pict_type = PictureType.NONE  # else the encoder repeats the choices of the source's
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))


def even(picture: VideoFrame, *, scale: int = 1) -> VideoFrame:
    """A picture as yuv420p of an even size, `scale` times as large, with its time."""
    width, height = scale * picture.width // 2 * 2, scale * picture.height // 2 * 2
    if (width, height, "yuv420p") == (picture.width, picture.height, picture.format.name):
        return picture
    scaled = picture.reformat(width=width, height=height, format="yuv420p")
    scaled.pts = picture.pts
    return scaled


def pts_at(times: VideoTimes, position_ms: int, *, origin_pts: int) -> int:
    """Time of a position, in the units of the video, rounded up: no picture before it has that time."""
    units = Fraction(position_ms, 1000) / times.time_base
    return origin_pts + -(-units.numerator // units.denominator)
