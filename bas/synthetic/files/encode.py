"""H.264 encoding at 25 fps, with B-frames and at least one keyframe every two seconds."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from bas.synthetic.simulation.schedule import FPS

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_KEYFRAME_SECONDS = 2
_B_FRAMES = 2
_BT709, _LIMITED = 1, 1


def encode(
    path: Path, pictures: Iterable[UInt8[np.ndarray, "rows columns"]], *, width: int, height: int
) -> None:
    """Encode packed yuv420p pictures into a Matroska file if `path` has a suffix `.mkv`, else MP4.

    The bytes depend only on the pictures: one encoder thread, no random identifiers, no dates.
    """
    import av

    container_format = "matroska" if ".mkv" in path.suffixes else "mp4"
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if container_format == "mp4" else {})
    with av.open(str(path), "w", format=container_format, container_options=options) as container:
        stream = _stream(container, width=width, height=height)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = i
            frame.time_base = Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _stream(container: OutputContainer, *, width: int, height: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=Fraction(FPS))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, FPS)
    context.gop_size = _KEYFRAME_SECONDS * FPS
    context.max_b_frames = _B_FRAMES
    context.thread_count = 1
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    context.options = {"preset": "superfast", "crf": "26", "bf": str(_B_FRAMES), "b-adapt": "1"}
    return stream
