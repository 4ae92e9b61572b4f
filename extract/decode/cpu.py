"""CPU decoding with PyAV, packet by packet, that yields only pictures that can be trusted."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from bas.dataset.video.probe import VideoTimes
from bas.errors import DataError
from bas.extract.decode.pictures import CorruptionTracker, DecodeStats, Picture, turned
from bas.extract.decode.seek import SeekPoint, decode, open_at

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream

_HARMLESS = re.compile("SEI|mmco: unref short failure")
"""Errors that leave the picture as it is: in side information, and in the release of a reference that is gone already."""

LogLine = tuple[int, str, str]
"""Level, source and text of a line that FFmpeg logged."""

_EIGHT_BITS = re.compile(r"gray|nv12|yuvj?4[0-4][0-4]p")
_MORE_BITS = re.compile(r"(?:gray|yuv4[0-4][0-4]p)(9|10|12|14|16)le")


def decode_pictures(
    times: VideoTimes, point: SeekPoint, *, stats: DecodeStats
) -> Generator[Picture, None, None]:
    """Yield the undamaged pictures from a seek point on, in presentation order, decoded on one core.

    One thread, because only then does an FFmpeg warning belong to the packet at hand, and because
    PyAV takes the interpreter's lock to log: a frame thread that logs while its decoder is being
    closed would wait for ever. Run several reads at once to use more cores. Close the generator in
    the thread that consumes it: only warnings of that thread are captured.

    Raises:
        DataError: the file cannot be read, or its pixel format has no usable luma plane.
    """
    with _captured_log() as log, open_at(times, point.decode_from) as (stream, packets):
        stream.codec_context.thread_count = 1
        corruption = CorruptionTracker()
        latest = point.first_shown - 1
        for packet in packets:
            for frame in _decode(stream, packet, corruption=corruption, log=log, stats=stats):
                # Pictures before the seek point were decoded as references only. A time that does
                # not rise is a repeat, as at a splice: consumers rely on rising times.
                if frame.pts is not None and frame.pts <= latest:
                    continue
                stats.pictures += 1
                stats.corrupt += frame.is_corrupt
                if frame.pts is None or frame.is_corrupt or frame.pts in corruption:
                    stats.damaged += 1
                else:
                    latest = frame.pts
                    yield Picture(frame.pts, turned(_luma(frame, times), times.orientation))


def _decode(
    stream: VideoStream,
    packet: Packet[VideoStream],
    *,
    corruption: CorruptionTracker,
    log: list[LogLine],
    stats: DecodeStats,
) -> list[VideoFrame]:
    """Decode one packet, record whether it is broken, and return the pictures that it completes."""
    import av

    # Lines so far are of the demuxer: they do not make this packet broken.
    demuxer_lines, broken = len(log), packet.is_corrupt
    stats.corrupt += packet.is_corrupt
    try:
        frames = decode(stream, packet)
    except av.error.FFmpegError:
        frames, broken = [], True
        stats.errors += 1
    # FFmpeg conceals much damage and returns the picture as if whole: then its log is the only sign.
    broken |= any(
        line[0] <= av.logging.ERROR and not _HARMLESS.search(line[2]) for line in log[demuxer_lines:]
    )
    stats.ffmpeg_warnings += len(log)
    log.clear()
    corruption.update(packet.pts, keyframe=packet.is_keyframe, broken=broken)
    return frames


@contextmanager
def _captured_log() -> Iterator[list[LogLine]]:
    """Capture the warnings and errors that FFmpeg logs in this thread."""
    import av.logging

    if av.logging.get_level() is None:
        av.logging.set_level(av.logging.WARNING)
        # Other threads log through Python, which prints unhandled records on stderr.
        logging.getLogger("libav").addHandler(logging.NullHandler())
    # FFmpeg would fold equal lines into one, and the second broken packet would pass as whole.
    av.logging.set_skip_repeated(False)
    with av.logging.Capture() as lines:
        yield lines


def _luma(frame: VideoFrame, times: VideoTimes) -> UInt8[np.ndarray, "height width"]:
    """Copy the luma plane as decoded; deeper planes are rounded to their highest 8 bits."""
    plane = frame.planes[0]
    content = memoryview(plane)
    # Rows are padded in memory: `line_size` is their stride in bytes, not the width.
    if _EIGHT_BITS.fullmatch(frame.format.name):
        rows = np.frombuffer(content, np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width].copy()
    if match := _MORE_BITS.fullmatch(frame.format.name):
        rest = int(match[1]) - 8  # bits below the eight that are kept
        deep = np.frombuffer(content, "<u2").reshape(-1, plane.line_size // 2)[: frame.height, : frame.width]
        # Half a step, 1 << rest - 1, rounds to the nearest instead of down.
        # uint32, because adding half a step overflows 16-bit samples; the highest ones round to 256.
        rounded: np.ndarray = (deep.astype(np.uint32) + (1 << rest >> 1)) >> rest
        return rounded.clip(max=255).astype(np.uint8)
    raise DataError(
        f"{times.path}: unsupported pixel format {frame.format.name}; expected planar YUV or gray. "
        "Convert it: ffmpeg -i VIDEO -pix_fmt yuv420p NEW.mp4"
    )
