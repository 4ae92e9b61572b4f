"""Decoding speed: `read_frames` compared with plain PyAV decoding, on one core each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import av
import numpy as np

from bas import console
from bas.clock import place_on_clock
from bas.dataset.video.probe import VideoTimes, probe
from bas.extract.decode.frames import DecodeStats, read_frames

_ROUNDS = 7
_PICTURES = 500
_VIDEOS = ((1280, 720, 5_000_000), (398, 224, 600_000))
"""Width, height and bits per second, like SoccerNet's videos."""


def main() -> None:
    """Assert equal pixels, then print pictures per second and CPU time per picture."""
    columns = ("PyAV fps", "bas fps", "fps ratio", "PyAV CPU (ms)", "bas CPU (ms)", "CPU ratio")
    table = console.table(f"Decoding, best of {_ROUNDS} alternating rounds", "picture size", *columns)
    with tempfile.TemporaryDirectory() as folder:
        for width, height, bits in _VIDEOS:
            times = probe(_write(Path(folder) / f"{height}.mp4", width=width, height=height, bits=bits))
            assert _read(times, sums=True) == _decode(times, sums=True)
            theirs, ours = partial(_decode, times), partial(_read, times)
            rounds = [(*_timed(theirs), *_timed(ours)) for _ in range(_ROUNDS)]
            wall, cpu, our_wall, our_cpu = np.min(rounds, axis=0) / _PICTURES
            table.add_row(
                f"{width} x {height}",
                *(f"{1 / wall:.0f}", f"{1 / our_wall:.0f}", f"{wall / our_wall:.2f}"),
                *(f"{1000 * cpu:.2f}", f"{1000 * our_cpu:.2f}", f"{cpu / our_cpu:.2f}"),
            )
    console.show(table)


def _read(times: VideoTimes, *, sums: bool = False) -> list[int]:
    clock_frames = place_on_clock(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(25))
    frames = read_frames(
        times, clock_frames, start=0, stop=len(clock_frames), decoder="cpu", device="cpu", stats=DecodeStats()
    )
    return [crc32(np.asarray(frame.luma).tobytes()) if sums else 0 for frame in frames]


def _decode(times: VideoTimes, *, sums: bool = False) -> list[int]:
    with av.open(str(times.path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return [crc32(_plane(frame)) if sums else 0 for frame in container.decode(stream)]


def _plane(frame: av.VideoFrame) -> bytes:
    rows = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(-1, frame.planes[0].line_size)
    return rows[: frame.height, : frame.width].tobytes()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _write(path: Path, *, width: int, height: int, bits: int) -> Path:
    """Write a video of a noisy texture under a panning camera."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(60, 180, (height // 8 + 1, (width + _PICTURES) // 8 + 1))
    field = np.kron(coarse, np.ones((8, 8), np.int64))[:height]
    field = (field + np.roll(field, 3, 1) + np.roll(field, 2, 0)) // 3
    grain = generator.integers(-6, 7, (8, height, width))
    chroma = np.full((height // 2, width), 128, np.uint8)
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = bits
        stream.options = {"preset": "veryfast", "g": "50", "bf": "2"}
        for i in range(_PICTURES):
            luma = (field[:, i : i + width] + grain[i % len(grain)]).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
