"""Pictures of a video on the model's clock: one iterator over two decoders.

    times = probe(path)
    ticks = lay(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(25))
    health = Health()
    frames = read_frames(
        times, ticks, start=0, stop=len(ticks), decoder="auto", device=device, health=health
    )

The decoder runs in a thread of its own, some pictures ahead; closing the iterator ends it. Several
iterators may run at once, from several threads, each with its own `Health`: one CPU decoder takes
one core, one NVDEC decoder one engine. A read begins a keyframe or two before its first tick, so
long reads waste less than short ones.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from bas.clock import Ticks
from bas.dataset.times import VideoTimes
from bas.errors import DataError
from bas.extract.ahead import read_ahead
from bas.extract.backends import Decoder, choose, pictures
from bas.extract.pictures import Health, Picture
from bas.extract.seek import entry, is_earliest

__all__ = ["Decoder", "Frame", "Health", "read_frames"]

_PATIENCE_SECONDS = 60.0
_CHUNK_BYTES = 8 << 20
_LONGEST_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Frame:
    """What is on screen at one tick of the model's clock."""

    number: int
    """Tick of the model's clock."""
    pts: int
    """Presentation time of the picture, in the stream's time base."""
    luma: UInt8[np.ndarray, "height width"] | UInt8[Tensor, "height width"]
    """Raw luma plane as it was decoded (16..235 as a rule), of the picture's own size.

    A tensor on the device where NVDEC decoded it, an array where the CPU did, also within one
    read: `torch.as_tensor(luma, device=device)` takes both. Ticks that show one picture share it.
    """
    sound: bool
    """False where the picture is missing or damaged: then this is the last sound one before it.

    Before the first sound picture of the video it is that one.
    """


def read_frames(
    times: VideoTimes,
    ticks: Ticks,
    *,
    start: int,
    stop: int,
    decoder: Decoder,
    device: torch.device | str,
    health: Health,
) -> Generator[Frame, None, None]:
    """Yield every tick of [start, stop) once, in order, with its picture.

    What a tick shows does not depend on where the read began.

    Args:
        times: of the video, from `bas.dataset.times.probe`.
        ticks: the same video's pictures on the model's clock.
        start: first tick.
        stop: tick after the last.
        decoder: auto takes NVDEC where the device is a CUDA one and can, else the CPU, and says so.
        device: where the luma is wanted.
        health: gathers what the read meets.

    Raises:
        DataError: the video cannot be read, no picture of it can be decoded, or none came for a minute.
        UnavailableError: `decoder` is nvdec, and it is missing or failed.
    """
    assert 0 <= start <= stop <= len(ticks), (start, stop, len(ticks))
    if start == stop:
        return
    device = _numbered(torch.device(device))
    choose(decoder, device, health=health)
    wanted = _wanted(times, ticks)[start:stop]
    first = int(wanted[0])
    sound = _from_sound(times, first, device=device, fall_back=decoder == "auto", health=health)
    source = _placed(sound, start=start, wanted=wanted, present=ticks.present[start:stop])
    frames = read_ahead(
        source,
        chunk=max(1, min(_LONGEST_CHUNK, _CHUNK_BYTES // (times.width * times.height))),
        patience_seconds=_PATIENCE_SECONDS,
        progress=lambda: health.pictures + health.errors,
        too_late=DataError(
            f"{times.path} gave no picture for {_PATIENCE_SECONDS:.0f} s. Copy it again, or take --decoder cpu."
        ),
    )
    with closing(frames):
        for frame in frames:
            health.unsound += not frame.sound
            if isinstance(frame.luma, Tensor) and frame.luma.is_cuda:
                # Memory of the decoder's stream, which must not be reused while this one reads it.
                frame.luma.record_stream(torch.cuda.current_stream(frame.luma.device))
            yield frame


def _numbered(device: torch.device) -> torch.device:
    """The device with its number: which one is current, each thread knows for itself alone."""
    if device.type != "cuda" or device.index is not None or not torch.cuda.is_available():
        return device
    return torch.device("cuda", torch.cuda.current_device())


def _wanted(times: VideoTimes, ticks: Ticks) -> Int64[np.ndarray, "ticks"]:
    """Time of the picture to show at each tick: its own, in a hole the last one before it."""
    shown = np.maximum.accumulate(np.where(ticks.present, ticks.picture, -1))
    return np.where(shown >= 0, times.pts[shown], times.start_pts - 1)


def _from_sound(
    times: VideoTimes, first: int, *, device: torch.device, fall_back: bool, health: Health
) -> Generator[Picture, None, None]:
    """The sound pictures of a video, the first of them at or before `first` where there is one."""
    back = 0
    while True:
        place = entry(times, first, back=back)
        with closing(pictures(times, place, device=device, fall_back=fall_back, health=health)) as source:
            earliest = next(source, None)
            if earliest is not None and (earliest.pts <= first or is_earliest(times, place)):
                yield earliest
                yield from source
                return
        if is_earliest(times, place):
            raise DataError(
                f"No picture of {times.path} can be decoded: FFmpeg refused {health.errors:,} packets, "
                f"and {health.damaged:,} pictures came out damaged. Copy or download it again."
            )
        back = 4 * back + 1  # all damaged: look further back for what to repeat


def _placed(
    source: Generator[Picture, None, None],
    *,
    start: int,
    wanted: Int64[np.ndarray, "ticks"],
    present: Bool[np.ndarray, "ticks"],
) -> Generator[Frame, None, None]:
    """Lay pictures, which rise in time, on ticks: each shows the last one at or before what it wants."""
    with closing(source):
        held: Picture | None = None
        coming = next(source, None)
        for tick, (pts, there) in enumerate(zip(wanted.tolist(), present.tolist(), strict=True), start):
            while coming is not None and coming.pts <= pts:
                held, coming = coming, next(source, None)
            picture = held or coming
            assert picture is not None, "the source ends with an error where it holds no picture"
            yield Frame(tick, picture.pts, picture.luma, there and picture.pts == pts)
