"""Seek points, from which every picture decodes as in one read from the start of the video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np

from bas.dataset.video.containers import open_video, packets
from bas.dataset.video.laying import NO_TIME, PacketTimes
from bas.dataset.video.probe import VideoTimes

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer

_MARGIN = Fraction(1)  # seconds; container indexes go by decoding time, which runs ahead of presentation time


@dataclass(frozen=True, slots=True)
class SeekPoint:
    """Keyframe to decode from, and the later one from which pictures are shown."""

    decode_from: int | None
    """Presentation time of a keyframe; None for the start of the file."""
    first_shown: int
    """Earliest time at which pictures decode as in a read from the start."""


def seek_point(times: VideoTimes, pts: int, *, keyframes_back: int = 0) -> SeekPoint:
    """Return the seek point that shows the keyframe at or before `pts`.

    Decoding begins one keyframe earlier. A keyframe need not be a clean start: in an open GOP the
    pictures after it refer to pictures before it, and a gradual refresh is complete only at the next.

        keyframes            K0 ------- K1 ------- K2 --- pts -- K3
        keyframes_back=0                decode     show
        keyframes_back=1     decode     show

    Args:
        times: presentation times of the video.
        pts: presentation time of the first picture that is needed.
        keyframes_back: how many keyframes earlier to show from.
    """
    if len(times.keyframes) == 0:
        return SeekPoint(None, times.start_pts)
    shown = max(0, int(np.searchsorted(times.keyframes, pts, side="right")) - 1 - keyframes_back)
    return SeekPoint(int(times.keyframes[max(0, shown - 1)]), int(times.keyframes[shown]))


def is_earliest(times: VideoTimes, point: SeekPoint) -> bool:
    """Return whether no picture before this seek point can be decoded."""
    return point.decode_from is None or point.first_shown == int(times.keyframes[0])


@contextmanager
def open_at(
    times: VideoTimes, keyframe: int | None
) -> Iterator[tuple[VideoStream, Iterator[Packet[VideoStream]]]]:
    """Open a video's stream, with its packets from a keyframe (or the start) on, and their times as in `times`.

    The last packet is empty and flushes the decoder, as does one before each further recording in the file.

    Raises:
        DataError: the file changed since it was probed, or cannot be read.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_video(times.path))
        if times.packet_times is not None:  # an index by the file's own times leads astray
            found = _from_keyframe(_laid_out(packets(stream), times.packet_times), keyframe)
        # Nothing precedes the first keyframe, so reading from the start is as good as a seek.
        elif keyframe is not None and keyframe > times.keyframes[0]:
            found = _seek(stream, keyframe)
            if found is None:  # no index, or one that leads past the keyframe: read from the start
                stack.close()
                stream = stack.enter_context(open_video(times.path))
                found = _from_keyframe(packets(stream), keyframe)
        else:
            found = _from_keyframe(packets(stream), keyframe)
        yield stream, found or iter(())


def decode(stream: VideoStream, packet: Packet[VideoStream]) -> list[VideoFrame]:
    """Decode a packet of `open_at` to the pictures that it completes; the decoder is ready for any other after an empty one.

    Raises:
        FFmpegError: the packet is broken.
    """
    frames = stream.codec_context.decode(packet)
    if packet.size == 0:
        stream.codec_context.flush_buffers()
    return frames


def _laid_out(read: Iterable[Packet[VideoStream]], times: PacketTimes) -> Iterator[Packet[VideoStream]]:
    """Give all packets of a file their times, and put an empty one before each further recording."""
    import av

    starts = frozenset(times.starts)
    for number, packet in enumerate(read):
        if number in starts:
            yield cast("Packet[VideoStream]", av.Packet())
        if packet.size:
            pts = int(times.pts[number])
            if pts == NO_TIME and packet.pts is not None:
                continue  # its time is wrong, so that it may stand in the wrong place, too
            packet.pts = None if pts == NO_TIME else pts
        yield packet


def _seek(stream: VideoStream, keyframe: int) -> Iterator[Packet[VideoStream]] | None:
    import av

    assert stream.time_base is not None
    container = cast("InputContainer", stream.container)
    try:
        container.seek(keyframe - int(_MARGIN / stream.time_base), stream=stream, backward=True)
    except av.error.FFmpegError:
        return None
    return _from_keyframe(packets(stream), keyframe)


def _from_keyframe(
    read: Iterable[Packet[VideoStream]], keyframe: int | None
) -> Iterator[Packet[VideoStream]] | None:
    """Return the packets from the keyframe on; None if a later keyframe comes first."""
    read = iter(read)
    if keyframe is None:
        return read
    for packet in read:
        # Containers promise little about where a seek lands, so the keyframe is found by its time.
        if packet.is_keyframe and packet.pts is not None and packet.pts >= keyframe:
            return chain([packet], read) if packet.pts == keyframe else None
    return None
