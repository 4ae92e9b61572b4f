"""Frame strips around a position in a match, to show what a model missed or falsely detected."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from bas.dataset import VideoTimes
from bas.evaluate.video.reading import pts_at, read_pictures
from bas.extract.decode.seek import seek_point

if TYPE_CHECKING:
    from av import VideoFrame

STRIP_MS = (-800, -400, 0, 400, 800)
"""Offsets of the pictures from the position."""
_WIDTH = 224
_QUALITY = 72


def frame_strip(times: VideoTimes, position_ms: int, *, origin_pts: int) -> str | None:
    """Pictures around a position side by side, as a JPEG data URL.

    Args:
        times: timing of the video.
        position_ms: position of the middle picture.
        origin_pts: presentation time of position 0.

    Returns:
        None if no picture could be decoded.

    Raises:
        DataError: the video cannot be read.
    """
    from PIL import Image

    # Positions are whole milliseconds, presentation times are not: 1 ms absorbs the rounding.
    moments = [pts_at(times, position_ms + offset + 1, origin_pts=origin_pts) for offset in STRIP_MS]
    pictures = _pictures_at(times, moments)
    if not pictures:
        return None
    columns, rows = times.shown_size
    height = round(_WIDTH * rows / columns)
    sheet = Image.new("RGB", (_WIDTH * len(STRIP_MS), height))
    for column, picture in enumerate(pictures):
        image = picture.to_image(width=_WIDTH, height=height)  # type: ignore[no-untyped-call]
        sheet.paste(image, (column * _WIDTH, 0))
    memory = io.BytesIO()
    sheet.save(memory, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()


def _pictures_at(times: VideoTimes, moments: list[int]) -> list[VideoFrame]:
    """The picture on screen at each of the rising presentation times; the end pictures stand for times beyond them."""
    pending = list(moments)
    pictures: list[VideoFrame] = []
    latest = None
    # Reading starts at the keyframe, because a damaged picture leaves the one before it on screen.
    start = max(times.start_pts, seek_point(times, moments[0]).first_shown)
    for picture in read_pictures(times, start_pts=start, stop_pts=max(start, moments[-1]) + 1):
        assert picture.pts is not None
        while pending and picture.pts > pending[0]:
            pictures.append(latest or picture)
            pending.pop(0)
        latest = picture
    return pictures + [latest] * len(pending) if latest else []
