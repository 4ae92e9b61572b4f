"""Frame strips around a position in a match, to show what a model missed or falsely detected."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bas.config.pipeline import TimeOrigin

if TYPE_CHECKING:
    from PIL.Image import Image

STRIP_MS = (-800, -400, 0, 400, 800)
"""Offsets of the pictures from the position."""
_WIDTH = 224
_QUALITY = 72


def frame_strip(video: Path, position_ms: int, *, time_origin: TimeOrigin = "auto") -> str | None:
    """Pictures around a position side by side, as a JPEG data URL.

    Args:
        video: video file of the match.
        position_ms: position of the middle picture.
        time_origin: position 0 is the container's time zero (`zero`) or the first picture (otherwise).

    Returns:
        None if no picture could be decoded.

    Raises:
        MissingError: the video does not exist.
        DataError: the video cannot be opened.
    """
    from PIL import Image

    pictures = _pictures(video, [position_ms + offset for offset in STRIP_MS], time_origin)
    if not pictures:
        return None
    height = round(_WIDTH * pictures[0].height / pictures[0].width)
    sheet = Image.new("RGB", (_WIDTH * len(STRIP_MS), height))
    for column, picture in enumerate(pictures):
        sheet.paste(picture.resize((_WIDTH, height)), (column * _WIDTH, 0))
    memory = io.BytesIO()
    sheet.save(memory, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()


def _pictures(video: Path, positions_ms: Sequence[int], time_origin: TimeOrigin) -> list[Image]:
    """The picture on screen at each of the rising positions; the last picture repeats past the end of the video."""
    import av

    from bas.dataset.video.containers import open_video
    from bas.dataset.video.scan import declared

    pending = list(positions_ms)
    pictures: list[Image] = []
    with open_video(video) as stream:
        container, base = stream.container, stream.time_base
        assert base is not None
        start = declared(stream).zero_pts if time_origin == "zero" else stream.start_time or 0
        first = start + int(max(0, pending[0]) / 1000 / base)
        container.seek(first, stream=stream, backward=True)  # type: ignore[attr-defined]
        previous = None
        try:
            for frame in container.decode(stream):  # type: ignore[attr-defined]
                if frame.pts is None:
                    continue
                now_ms = float((frame.pts - start) * base) * 1000
                # A picture stays on screen until the next one, so a position is settled by the first picture after it.
                # The 1 ms absorbs rounding: positions are whole milliseconds, presentation times are not.
                while pending and now_ms > pending[0] + 1:
                    pictures.append(
                        (previous or frame).to_image(
                            width=_WIDTH, height=_WIDTH * frame.height // frame.width
                        )
                    )
                    pending.pop(0)
                previous = frame
                if not pending:
                    break
        except av.error.FFmpegError:  # a damaged picture: show the ones before it
            pass
        if previous is not None and pending:
            last = previous.to_image()
            pictures += [last] * len(pending)
    return pictures
