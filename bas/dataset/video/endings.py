"""Ends of video files: cut, filled with zeros, followed by pictures elsewhere, or merely longer than the pictures.

A declared length is no evidence by itself: sound may be longer than the pictures, and the last picture may
stay on screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bas.clock import milliseconds, time_text
from bas.dataset.video.containers import container_of, missing_bytes, zero_bytes
from bas.dataset.video.scan import Declared, Scan

if TYPE_CHECKING:
    from av import Packet, VideoStream

_SLACK = Fraction(1)  # seconds by which the declared duration may exceed that of the pictures
_PACKET_SIZES = (188, 192, 204)  # bytes, of a transport stream: plain, with a clock, with error correction
_PACKET = 188
_STUFFING = 8  # zeros that a whole packet of sound may end with
_ELSEWHERE = (
    5  # seconds of pictures; a transport stream in which more bytes follow the last one goes on elsewhere
)


def truncation(
    stream: VideoStream, path: Path, scan: Scan, declared: Declared, *, start_pts: int, end: Fraction
) -> str:
    """Describe how much of a truncated file is present; empty for a complete one.

    Args:
        stream: open video stream.
        path: the file.
        scan: packets of the stream.
        declared: properties declared by the stream.
        start_pts: presentation time of the first picture.
        end: seconds at which the last picture leaves the screen, on the same clock.
    """
    # Some containers declare the end of the stream, others its length; counting from the earlier start fits both.
    present = end - min(start_pts, declared.zero_pts) * declared.time_base
    size, missing = path.stat().st_size, missing_bytes(path)
    duration = None if declared.clockless else declared.duration
    short = duration is not None and present < duration - _SLACK
    short = short and _is_cut(stream, scan, duration - present, size=size, complete=missing == 0)  # type: ignore[operator]
    zeros = zero_bytes(path)
    filled = zeros and (scan.ends_blank or short or (declared.clockless and _is_torn(path, size - zeros)))
    facts = []
    if duration is not None and (missing or short):
        facts.append(f"{float(min(present, duration)):.2f} of {float(duration):.2f} s")
    if missing:
        facts.append(f"{size:,} of {size + missing:,} bytes")
    if filled:
        facts.append(f"the last {zeros:,} of {size:,} bytes are zeros")
    return f"truncated: {', '.join(facts)}" if facts else "truncated" if missing else ""


def continuation(
    stream: VideoStream, path: Path, scan: Scan, declared: Declared, *, start_pts: int, end: Fraction
) -> str:
    """Describe where the pictures go on after the last one of the stream; empty if they do not. Takes what `truncation` does."""
    unit, place = (
        declared.time_base,
        f"the pictures of stream {stream.index} end at {_clock(end, start_pts, declared)}",
    )
    latest_start = max(end - _SLACK, (start_pts * unit + end) / 2)
    for other in container_of(stream).streams.video:
        begins = None if other.start_time is None else other.start_time * (other.time_base or unit)
        if begins is not None and other.index != stream.index and begins > latest_start:
            return f"{place}, and stream {other.index} goes on"
    size = path.stat().st_size
    seconds = end - start_pts * unit
    if declared.clockless and scan.end_byte and size - scan.end_byte > _ELSEWHERE * scan.num_bytes / seconds:
        rest = size - scan.end_byte - zero_bytes(path)
        if rest > _ELSEWHERE * scan.num_bytes / seconds:
            return f"{place}, but {rest:,} of {size:,} bytes follow: they may go on in another program"
    return ""


def _clock(end: Fraction, start_pts: int, declared: Declared) -> str:
    return time_text(milliseconds(end - start_pts * declared.time_base))


def _is_cut(stream: VideoStream, scan: Scan, lost: Fraction, *, size: int, complete: bool) -> bool:
    """Return whether pictures are lost in the seconds that the declared duration exceeds the pictures by."""
    if "matroska" not in container_of(stream).format.name:
        return True  # MP4 declares the duration of each picture
    assert stream.time_base is not None
    container = container_of(stream)
    container.seek(scan.end_pts, stream=stream, backward=True)
    behind, last_byte = Fraction(0), 0  # seconds by which other packets last longer than the pictures
    for packet in _readable(stream):
        last_byte = max(last_byte, (packet.pos or 0) + packet.size)
        if packet.pts is not None:
            stop = (packet.pts + (packet.duration or 0)) * packet.time_base
            behind = max(behind, stop - scan.end_pts * stream.time_base)
    if behind >= lost - _SLACK:
        return False
    # Of a whole file, pictures can only be lost in bytes that hold no packet.
    seconds = scan.end_pts * stream.time_base
    return not complete or size - last_byte > lost * scan.num_bytes / max(seconds, Fraction(1)) / 2


def _readable(stream: VideoStream) -> Iterator[Packet[Any]]:
    import av

    try:
        yield from (packet for packet in container_of(stream).demux() if packet.size)
    except (av.error.FFmpegError, IndexError):
        return


def _is_torn(path: Path, stop: int) -> bool:
    """Return whether a transport stream that ends at byte `stop` ends inside one of its packets."""
    with path.open("rb") as file:
        head = file.read(4 * max(_PACKET_SIZES))
    for size in _PACKET_SIZES:
        for first in range(size):
            if all(head[first + k * size : first + k * size + 1] == b"G" for k in range(3)):
                # Bytes of the last packet that are there; those that follow it belong to the next one.
                inside = (stop - first) % size
                return 0 < inside < _PACKET - _STUFFING
    return False
