"""How players show the pictures of a video: turned, mirrored, and with pixels that need not be square.

Phones store pictures as the sensor lies, with a display matrix beside them. All that bas computes is of the
picture that a viewer sees, because people annotate that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bas.clock import milliseconds
from bas.dataset.video.containers import container_of, open_video, packets

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream

_MOST_PACKETS = 100  # read for the first picture; decoders hold back at most 16
_SHORTEST_LEAD = Fraction(1, 25)  # seconds; the delay of an audio encoder is shorter, and nobody sees it
_MOST_ASPECT = 4  # ratio of the sides of a pixel; beyond this the declaration is an error, or an attack


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways in which a coded picture can be shown: transposed first, then flipped."""

    transposed: bool = False
    """Whether coded rows are shown as columns."""
    flip_rows: bool = False
    """Whether the shown rows are in reverse order."""
    flip_columns: bool = False
    """Whether the shown columns are in reverse order."""

    @property
    def text(self) -> str:
        """Description for messages and files; empty for a picture that is shown as it is coded."""
        # The other two bits decide between no turn and half a turn, or between right and left.
        mirrored = self.transposed == (self.flip_rows == self.flip_columns)
        if self.transposed:
            turn = "turned by 90 degrees" if self.flip_columns else "turned by 270 degrees"
        else:
            turn = "turned by 180 degrees" if self.flip_rows else ""
        return ", then ".join(filter(None, ("mirrored" if mirrored else "", turn)))


AS_CODED = Orientation()


@dataclass(frozen=True, slots=True)
class Display:
    """What the first picture of a video, and its container, say about how it is shown."""

    orientation: Orientation
    pixel_aspect: Fraction
    """Width of a shown pixel divided by its height."""
    size: tuple[int, int]
    """Columns and rows of a shown picture, before pixels are made square."""
    player_zero: Fraction
    """Seconds of the container's clock at which a player's clock starts: the first picture or sound."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about it, as messages."""
        return (
            (f"pictures are {self.orientation.text}, as players show them",) if self.orientation.text else ()
        )


def read_display(path: Path) -> Display:
    """Decode the first picture of a video, and read how it is shown; takes milliseconds.

    Raises:
        MissingError: `path` does not exist.
        DataError: it is not a video.
    """
    with open_video(path) as stream:
        return display_of(stream, packets(stream))


def display_of(stream: VideoStream, source: Iterable[Packet[VideoStream]]) -> Display:
    """How a video is shown, from its first packets; of `source` it takes as many as the first picture needs."""
    orientation = _orientation(_first_picture(stream, source))
    declared, size = stream.sample_aspect_ratio, (stream.width, stream.height)
    # Before 0 lies only what an encoder of audio needs to get going.
    zero = Fraction(max(0, container_of(stream).start_time or 0), 1_000_000)
    aspect = declared if declared and max(declared, 1 / declared) <= _MOST_ASPECT else Fraction(1)
    if orientation.transposed:
        return Display(orientation, 1 / aspect, size[::-1], zero)
    return Display(orientation, aspect, size, zero)


def lead_ms(origin: Fraction, player_zero: Fraction) -> int:
    """Milliseconds that a player shows at position 0, where sound starts before the pictures.

    Args:
        origin: seconds of position 0 on the container's clock.
        player_zero: seconds of the player's zero on that clock.
    """
    lead = origin - player_zero
    return milliseconds(lead) if abs(lead) >= _SHORTEST_LEAD else 0


def _first_picture(stream: VideoStream, source: Iterable[Packet[VideoStream]]) -> VideoFrame | None:
    import av

    stream.codec_context.thread_count = 1  # more would hold back more pictures
    for packet in islice(source, _MOST_PACKETS):
        try:
            pictures = stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            continue
        if pictures:
            return pictures[0]
    return None


def _orientation(picture: VideoFrame | None) -> Orientation:
    """Orientation that the display matrix of a picture asks for, to the nearest quarter turn."""
    side_data: Any = {} if picture is None else picture.side_data
    if "DISPLAYMATRIX" not in side_data:
        return AS_CODED
    matrix = side_data["DISPLAYMATRIX"]
    # The matrix maps a coded point (x, y) to the shown point (a x + c y, b x + d y); y grows downwards.
    a, b, _, c, d = np.frombuffer(bytes(matrix), "<i4")[:5].tolist()
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    return Orientation(transposed, (b if transposed else d) < 0, (c if transposed else a) < 0)
