"""Where to begin reading a video so that every picture comes out as in one read from the start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np

from bas.dataset.containers import open_video, packets
from bas.dataset.times import VideoTimes

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer

_MARGIN = Fraction(1)  # seconds; indices go by decoding time, which runs ahead of presentation time


def entry(times: VideoTimes, pts: int, *, back: int = 1) -> int | None:
    """Time of the keyframe to decode from to show `pts`; None for a video without keyframes.

    It is the one `back` keyframes before the one at or before `pts`: the pictures of an open GOP
    and of a gradual refresh are whole only from the next keyframe on.
    """
    if len(times.keyframes) == 0:
        return None
    index = int(np.searchsorted(times.keyframes, pts, side="right")) - 1 - back
    return int(times.keyframes[max(index, 0)])


def is_first(times: VideoTimes, keyframe: int | None) -> bool:
    """Whether nothing can be decoded before this keyframe."""
    return keyframe is None or keyframe == int(times.keyframes[0])


@contextmanager
def open_at(
    times: VideoTimes, keyframe: int | None
) -> Iterator[tuple[VideoStream, Iterator[Packet[VideoStream]]]]:
    """A video's stream and its packets from a keyframe on, the empty one at the end too.

    Packets that are shown before the keyframe are left out: what they are predicted from was not read.

    Raises:
        DataError: the file changed since it was probed, or cannot be read.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_video(times.path))
        found = None if is_first(times, keyframe) else _sought(stream, keyframe)
        if found is None:  # no index, or one that leads past the keyframe: read from the start
            stack.close()
            stream = stack.enter_context(open_video(times.path))
            found = _found(packets(stream), keyframe)
        yield stream, (p for p in found or () if keyframe is None or p.pts is None or p.pts >= keyframe)


def _sought(stream: VideoStream, keyframe: int | None) -> Iterator[Packet[VideoStream]] | None:
    import av

    assert keyframe is not None
    assert stream.time_base is not None
    container = cast("InputContainer", stream.container)
    try:
        container.seek(keyframe - int(_MARGIN / stream.time_base), stream=stream, backward=True)
    except av.error.FFmpegError:
        return None
    return _found(packets(stream), keyframe)


def _found(read: Iterable[Packet[VideoStream]], keyframe: int | None) -> Iterator[Packet[VideoStream]] | None:
    """The packets from the keyframe on; None when a later one comes first."""
    read = iter(read)
    if keyframe is None:
        return read
    for packet in read:
        if packet.is_keyframe and packet.pts is not None and packet.pts >= keyframe:
            return chain([packet], read) if packet.pts == keyframe else None
    return None
