"""Where to begin reading a video so that every picture comes out as in one read from the start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Entry:
    """Where to begin: pictures are decoded from one keyframe on and shown from a later one on."""

    decode_from: int | None
    """Time of a keyframe; None for the start of the file."""
    show_from: int
    """Earliest time at which pictures come out as in a read from the start."""


def entry(times: VideoTimes, pts: int, *, back: int = 0) -> Entry:
    """Where to begin to show the keyframe at or before `pts`, or the one `back` keyframes before it.

    Decoding begins one keyframe earlier. A keyframe need not be a clean start: in an open GOP what
    follows counts on references from before it, and a gradual refresh is only complete at the next.
    """
    if len(times.keyframes) == 0:
        return Entry(None, times.start_pts)
    shown = max(0, int(np.searchsorted(times.keyframes, pts, side="right")) - 1 - back)
    return Entry(int(times.keyframes[max(0, shown - 1)]), int(times.keyframes[shown]))


def is_earliest(times: VideoTimes, place: Entry) -> bool:
    """Whether nothing can be shown before this entry."""
    return place.decode_from is None or place.show_from == int(times.keyframes[0])


@contextmanager
def open_at(
    times: VideoTimes, keyframe: int | None
) -> Iterator[tuple[VideoStream, Iterator[Packet[VideoStream]]]]:
    """A video's stream and its packets from a keyframe (or the start) on, the empty one at the end too.

    Raises:
        DataError: the file changed since it was probed, or cannot be read.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_video(times.path))
        if keyframe is not None and keyframe > times.keyframes[0]:
            found = _sought(stream, keyframe)
            if found is None:  # no index, or one that leads past the keyframe: read from the start
                stack.close()
                stream = stack.enter_context(open_video(times.path))
                found = _found(packets(stream), keyframe)
        else:
            found = _found(packets(stream), keyframe)
        yield stream, found or iter(())


def _sought(stream: VideoStream, keyframe: int) -> Iterator[Packet[VideoStream]] | None:
    import av

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
