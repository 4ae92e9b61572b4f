"""Strips of frames around a moment of a match, to see what a model missed or imagined."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bas.config.settings import TimeOrigin

if TYPE_CHECKING:
    from PIL.Image import Image

STRIP_MS = (-800, -400, 0, 400, 800)
"""Of the pictures, from the moment."""
_WIDTH = 224
_QUALITY = 72


def strip(video: Path, position_ms: int, *, time_origin: TimeOrigin = "auto") -> str | None:
    """Pictures around a moment side by side, as the address of a JPEG that lies in the page.

    None where the video shows nothing there.

    Args:
        video: of the match.
        position_ms: of the moment.
        time_origin: what positions count from: the container's zero (zero), or the first picture.

    Raises:
        MissingError, DataError: the video is not there, or cannot be opened.
    """
    from PIL import Image

    pictures = _pictures(video, [position_ms + offset for offset in STRIP_MS], time_origin)
    if not pictures:
        return None
    height = round(_WIDTH * pictures[0].height / pictures[0].width)
    sheet = Image.new("RGB", (_WIDTH * len(STRIP_MS), height))
    for place, picture in enumerate(pictures):
        sheet.paste(picture.resize((_WIDTH, height)), (place * _WIDTH, 0))
    memory = io.BytesIO()
    sheet.save(memory, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode()


def _pictures(video: Path, positions_ms: Sequence[int], time_origin: TimeOrigin) -> list[Image]:
    """The picture on screen at each position, as far as the video reaches."""
    import av

    from bas.dataset.containers import open_video
    from bas.dataset.scan import declared

    wanted = list(positions_ms)
    pictures: list[Image] = []
    with open_video(video) as stream:
        container, base = stream.container, stream.time_base
        assert base is not None
        start = declared(stream).zero_pts if time_origin == "zero" else stream.start_time or 0
        first = start + int(max(0, wanted[0]) / 1000 / base)
        container.seek(first, stream=stream, backward=True)  # type: ignore[attr-defined]
        held = None
        try:
            for frame in container.decode(stream):  # type: ignore[attr-defined]
                if frame.pts is None:
                    continue
                now_ms = float((frame.pts - start) * base) * 1000
                while wanted and now_ms > wanted[0] + 1:
                    pictures.append(
                        (held or frame).to_image(width=_WIDTH, height=_WIDTH * frame.height // frame.width)
                    )
                    wanted.pop(0)
                held = frame
                if not wanted:
                    break
        except av.error.FFmpegError:  # a damaged picture: show what came before it
            pass
        if held is not None and wanted:
            last = held.to_image()
            pictures += [last] * len(wanted)
    return pictures
