"""Read and write color video, one picture in memory at a time and with every presentation time preserved."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bas.dataset import VideoTimes
from bas.dataset.video.display import AS_CODED
from bas.errors import DataError
from bas.evaluate.video.drawing import unpack_planes
from bas.extract.decode.pictures import turned
from bas.extract.decode.seek import decode, open_at, seek_point
from bas.files import publish

if TYPE_CHECKING:
    from av import VideoFrame

_ENCODER = {
    "preset": "veryfast",
    "crf": "20",
    "bf": "0",  # without B-frames, every player starts on the exact first picture
}
_KEYFRAME_SECONDS = 2


def read_pictures(times: VideoTimes, *, start_pts: int, stop_pts: int) -> Generator[VideoFrame, None, None]:
    """Yield the pictures with presentation times in [start_pts, stop_pts), in order and turned as players show them.

    Their pixels need not be square: scale them to `times.shown_size`. Decoding starts at an earlier keyframe; packets that cannot be decoded are skipped.

    Raises:
        DataError: the file cannot be read.
    """
    import av

    with open_at(times, seek_point(times, start_pts).decode_from) as (stream, packets):
        latest = start_pts - 1
        for packet in packets:
            try:
                frames = decode(stream, packet)
            except av.error.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is not None and frame.pts >= stop_pts:
                    return
                # `latest` begins just before start_pts: this skips the lead-in, and later any time that does not rise.
                if frame.pts is not None and frame.pts > latest:
                    latest = frame.pts
                    yield _as_shown(frame, times)


def write_video(path: Path, pictures: Iterable[VideoFrame], times: VideoTimes, *, origin_pts: int) -> None:
    """Encode pictures to an H.264 MP4 file without sound; the file is published atomically.

    Args:
        path: path of the file.
        pictures: pictures of the same even size, with presentation times of their video.
        times: timing of that video.
        origin_pts: presentation time that becomes 0; earlier pictures are left out.

    Raises:
        DataError: there is no picture to write.
        OutputError: the disk is full.
    """
    source = (picture for picture in pictures if picture.pts is not None and picture.pts >= origin_pts)
    first = next(source, None)
    if first is None:
        raise DataError(f"{times.path} has no pictures for {path.name}. Copy or download it again.")
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
            shown.pict_type = PictureType.NONE  # else the encoder copies the picture types of the source
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))


def _as_shown(picture: VideoFrame, times: VideoTimes) -> VideoFrame:
    """Turn a picture as players do; its pixels keep their shape."""
    import av

    if times.orientation == AS_CODED:
        return picture
    coded = resized(picture, even_size(picture.width, picture.height))
    planes = unpack_planes(coded.to_ndarray())
    upright = [turned(plane, times.orientation) for plane in (planes.y, planes.u, planes.v)]
    packed = np.concatenate([plane.ravel() for plane in upright]).reshape(-1, upright[0].shape[1])
    shown = av.VideoFrame.from_ndarray(packed, format="yuv420p")
    shown.color_range, shown.colorspace, shown.pts = coded.color_range, coded.colorspace, picture.pts
    return shown


def even_size(columns: int, rows: int) -> tuple[int, int]:
    """The size rounded down to even numbers, as yuv420p needs it; at least 2 x 2."""
    return max(2, columns // 2 * 2), max(2, rows // 2 * 2)


def resized(picture: VideoFrame, size: tuple[int, int]) -> VideoFrame:
    """Convert a picture to yuv420p of an even size; its time is kept."""
    width, height = size
    if (width, height, "yuv420p") == (picture.width, picture.height, picture.format.name):
        return picture
    scaled = picture.reformat(width=width, height=height, format="yuv420p")
    scaled.pts = picture.pts
    return scaled


def pts_at(times: VideoTimes, position_ms: int, *, origin_pts: int) -> int:
    """Presentation time of a position, in the time base of the video.

    Rounded up, so that a picture before the position never counts as at or after it.
    """
    units = Fraction(position_ms, 1000) / times.time_base
    return origin_pts + -(-units.numerator // units.denominator)
