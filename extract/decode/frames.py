"""Pictures of a video on the model's clock: one iterator over two decoders.

    times = probe(path)
    clock_frames = place_on_clock(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(25))
    stats = DecodeStats()
    frames = read_frames(
        times, clock_frames, start=0, stop=len(clock_frames), decoder="auto", device=device, stats=stats
    )

The decoder runs in its own thread, some pictures ahead; closing the iterator ends it. Several
iterators may run at once, from several threads, each with its own `DecodeStats`: one CPU decoder
takes one core, one NVDEC decoder one engine. A read begins a keyframe or two before its first
frame, so long reads waste less than short ones.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from bas.clock import ClockFrames
from bas.config.base import Decoder
from bas.dataset.video.probe import VideoTimes
from bas.errors import DataError
from bas.extract.decode.backends import choose_decoder, decode_pictures
from bas.extract.decode.pictures import DecodeStats, Picture
from bas.extract.decode.prefetch import prefetch
from bas.extract.decode.seek import is_earliest, seek_point

__all__ = ["DecodeStats", "Frame", "read_frames"]

_TIMEOUT_SECONDS = 60.0

_CHUNK_BYTES = 8 << 20

_MAX_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture on screen at one frame of the model's clock."""

    number: int
    """Frame index on the model's clock."""
    pts: int
    """Presentation time of the picture, in the stream's time base."""
    luma: UInt8[np.ndarray, "height width"] | UInt8[Tensor, "height width"]
    """Raw luma plane as decoded (16..235 as a rule), at the picture's own size.

    A tensor on the device where NVDEC decoded it, an array where the CPU did, even within one
    read: `torch.as_tensor(luma, device=device)` takes both. Frames that show one picture share it.
    """
    is_valid: bool
    """False if the picture is missing or damaged; `luma` is then the last valid one before it.

    Before the first valid picture of the video, `luma` is that first one.
    """


def read_frames(
    times: VideoTimes,
    clock_frames: ClockFrames,
    *,
    start: int,
    stop: int,
    decoder: Decoder,
    device: torch.device | str,
    stats: DecodeStats,
) -> Generator[Frame, None, None]:
    """Yield every frame in [start, stop) once, in order, with its picture.

    The picture of a frame does not depend on where the read begins.

    Args:
        times: presentation times of the video, from `bas.dataset.video.probe.probe`.
        clock_frames: the same video's pictures on the model's clock.
        start: first frame.
        stop: one past the last frame.
        decoder: auto uses NVDEC if the device is CUDA and NVDEC works, else the CPU, and prints why.
        device: device on which the luma is needed.
        stats: counters that this read updates.

    Raises:
        DataError: the video cannot be read, no picture can be decoded, or none arrived for a minute.
        UnavailableError: `decoder` is nvdec, and NVDEC is missing or failed.
    """
    assert 0 <= start <= stop <= len(clock_frames), (start, stop, len(clock_frames))
    if start == stop:
        return
    device = _with_index(torch.device(device))
    choose_decoder(decoder, device, stats=stats)
    shown_pts = _shown_pts(times, clock_frames)[start:stop]
    first = int(shown_pts[0])
    pictures = _from_valid(times, first, device=device, fall_back=decoder == "auto", stats=stats)
    source = _assign_to_frames(
        pictures, start=start, shown_pts=shown_pts, present=clock_frames.present[start:stop]
    )
    frames = prefetch(
        source,
        chunk=max(1, min(_MAX_CHUNK, _CHUNK_BYTES // (times.width * times.height))),
        timeout_seconds=_TIMEOUT_SECONDS,
        progress=lambda: stats.pictures + stats.errors,
        timeout_error=DataError(
            f"{times.path}: no picture decoded for {_TIMEOUT_SECONDS:.0f} s. Copy the video again, or use "
            "--decoder cpu."
        ),
    )
    with closing(frames):
        for frame in frames:
            stats.missing_or_damaged += not frame.is_valid
            if isinstance(frame.luma, Tensor) and frame.luma.is_cuda:
                # Memory of the decoder's stream, which must not be reused while this one reads it.
                frame.luma.record_stream(torch.cuda.current_stream(frame.luma.device))
            yield frame


def _with_index(device: torch.device) -> torch.device:
    """Return the device with an explicit index: the current device is a property of each thread."""
    if device.type != "cuda" or device.index is not None or not torch.cuda.is_available():
        return device
    return torch.device("cuda", torch.cuda.current_device())


def _shown_pts(times: VideoTimes, clock_frames: ClockFrames) -> Int64[np.ndarray, "frames"]:
    """Time of the picture to show at each frame: its own, or in a hole the last one before it."""
    shown = np.maximum.accumulate(np.where(clock_frames.present, clock_frames.picture, -1))
    # Frames ahead of the first picture get a time before every picture, which no picture matches.
    return np.where(shown >= 0, times.pts[shown], times.start_pts - 1)


def _from_valid(
    times: VideoTimes, first: int, *, device: torch.device, fall_back: bool, stats: DecodeStats
) -> Generator[Picture, None, None]:
    """Yield the undamaged pictures of a video, starting at or before `first` if there is one there.

    A read must not depend on where it begins: if all pictures between the seek point and `first`
    are damaged, a read from the start would repeat an older one, so this one has to find it too.
    """
    keyframes_back = 0
    while True:
        point = seek_point(times, first, keyframes_back=keyframes_back)
        source = decode_pictures(times, point, device=device, fall_back=fall_back, stats=stats)
        with closing(source):
            earliest = next(source, None)
            # At the earliest seek point there is nothing older to repeat: a later picture will do.
            if earliest is not None and (earliest.pts <= first or is_earliest(times, point)):
                yield earliest
                yield from source
                return
        if is_earliest(times, point):
            raise DataError(
                f"{times.path}: no picture can be decoded; FFmpeg rejected {stats.errors:,} packets, "
                f"and {stats.damaged:,} pictures are damaged. Copy or download it again."
            )
        # 1, 5, 21, ... keyframes: each attempt decodes all pictures of the one before again, and
        # this growth keeps the sum within a small multiple of the last attempt.
        keyframes_back = 4 * keyframes_back + 1


def _assign_to_frames(
    source: Generator[Picture, None, None],
    *,
    start: int,
    shown_pts: Int64[np.ndarray, "frames"],
    present: Bool[np.ndarray, "frames"],
) -> Generator[Frame, None, None]:
    """Assign pictures, whose times rise, to frames: each frame gets the last one at or before its time."""
    with closing(source):
        held: Picture | None = None
        coming = next(source, None)
        for number, (pts, there) in enumerate(zip(shown_pts.tolist(), present.tolist(), strict=True), start):
            while coming is not None and coming.pts <= pts:
                held, coming = coming, next(source, None)
            picture = held or coming
            assert picture is not None, "a source without any picture raises an error"
            # Another time means that the frame's own picture is damaged and an older one stands in.
            yield Frame(number, picture.pts, picture.luma, there and picture.pts == pts)
