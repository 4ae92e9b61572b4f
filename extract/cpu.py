"""Decode on the CPU with PyAV, packet by packet, and keep what can be trusted."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from bas.dataset.times import VideoTimes
from bas.errors import DataError
from bas.extract.damage import Damage
from bas.extract.pictures import Health, Picture
from bas.extract.seek import Entry, open_at

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream

Complaint = tuple[int, str, str]
"""Level, source and text."""

_MOST_PIXELS = 4096 * 2304
_EIGHT_BITS = re.compile(r"gray|nv12|yuvj?4[0-4][0-4]p")
_MORE_BITS = re.compile(r"(?:gray|yuv4[0-4][0-4]p)(9|10|12|14|16)le")


def pictures(times: VideoTimes, place: Entry, *, health: Health) -> Generator[Picture, None, None]:
    """The sound pictures from an entry on, in order of presentation, decoded on one core.

    One thread, because only then does a complaint of FFmpeg belong to the packet at hand, and
    because PyAV takes the interpreter's lock to log: a frame thread that complains while its
    decoder is closed would wait for ever. Read several stretches at once to use more cores. To be
    closed in the thread that reads it, which is the one whose complaints are heard.

    Raises:
        DataError: the file cannot be read, or its pictures have no luma plane to take.
    """
    with _complaints() as complaints, open_at(times, place.decode_from) as (stream, packets):
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}
        damage = Damage()
        latest = place.show_from - 1
        for packet in packets:
            for frame in _decode(stream, packet, damage=damage, complaints=complaints, health=health):
                if frame.pts is not None and frame.pts <= latest:
                    continue
                health.pictures += 1
                health.corrupt += frame.is_corrupt
                if frame.pts is None or frame.is_corrupt or frame.pts in damage:
                    health.damaged += 1
                else:
                    latest = frame.pts
                    yield Picture(frame.pts, _luma(frame, times))


def _decode(
    stream: VideoStream,
    packet: Packet[VideoStream],
    *,
    damage: Damage,
    complaints: list[Complaint],
    health: Health,
) -> list[VideoFrame]:
    """The pictures that a packet completes, after noting whether it is broken."""
    import av

    health.complaints += len(complaints)  # of the demuxer
    complaints.clear()
    broken = packet.is_corrupt
    health.corrupt += packet.is_corrupt
    try:
        frames = stream.codec_context.decode(packet)
    except av.error.FFmpegError:
        frames, broken = [], True
        health.errors += 1
    broken |= any(line[0] <= av.logging.ERROR and "SEI" not in line[2] for line in complaints)
    damage.follow(packet.pts, keyframe=packet.is_keyframe, broken=broken)
    return frames


@contextmanager
def _complaints() -> Iterator[list[Complaint]]:
    """The warnings and errors that FFmpeg logs in this thread."""
    import av.logging

    if av.logging.get_level() is None:
        av.logging.set_level(av.logging.WARNING)
        # Other threads log too, through Python, which would print on stderr what nobody handles.
        logging.getLogger("libav").addHandler(logging.NullHandler())
    av.logging.set_skip_repeated(False)
    with av.logging.Capture() as lines:
        yield lines


def _luma(frame: VideoFrame, times: VideoTimes) -> UInt8[np.ndarray, "height width"]:
    """A copy of the luma plane as it was decoded; of deeper ones the highest 8 bits, rounded."""
    plane = frame.planes[0]
    content = memoryview(plane)
    if _EIGHT_BITS.fullmatch(frame.format.name):
        rows = np.frombuffer(content, np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width].copy()
    if match := _MORE_BITS.fullmatch(frame.format.name):
        rest = int(match[1]) - 8
        deep = np.frombuffer(content, "<u2").reshape(-1, plane.line_size // 2)[: frame.height, : frame.width]
        rounded: np.ndarray = (deep.astype(np.uint32) + (1 << rest >> 1)) >> rest
        return rounded.clip(max=255).astype(np.uint8)
    raise DataError(
        f"{times.path} holds pictures of format {frame.format.name}; bas reads planar YUV and gray. "
        "Convert it: ffmpeg -i VIDEO -pix_fmt yuv420p NEW.mp4"
    )
