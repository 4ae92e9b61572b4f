"""Small real videos for tests, in which every picture shows its own number.

The number is drawn as 8 x 3 large blocks, black or white: its high byte, its low byte and a check
byte. It survives compression and scaling. A damaged picture reads as None instead of a wrong number.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

Container = Literal["mkv", "mp4", "faststart", "fragmented", "ts"]

_BLACK, _WHITE = 16, 235
_CHECK = 0xA5
_NOISE = 12
_MUXER_OPTIONS: dict[Container, dict[str, str]] = {
    "mkv": {},
    "mp4": {},
    "faststart": {"movflags": "+faststart"},
    "fragmented": {"movflags": "+frag_keyframe+empty_moov+default_base_moof"},
    "ts": {"mpegts_copyts": "1"},
}
_MUXER: dict[Container, str] = {
    "mkv": "matroska",
    "mp4": "mp4",
    "faststart": "mp4",
    "fragmented": "mp4",
    "ts": "mpegts",
}


def write_video(
    path: Path,
    pictures: int = 50,
    *,
    container: Container | None = None,
    fps: Fraction | int = 25,
    times_ms: Sequence[int] | None = None,
    start_ms: int = 0,
    size: tuple[int, int] = (128, 96),
    first: int = 0,
    keyframe_every: int = 12,
    b_frames: int = 2,
    codec: Literal["libx264", "libx265"] = "libx264",
    options: dict[str, str] | None = None,
    audio: bool = False,
    audio_seconds: float | None = None,
    muxer: dict[str, str] | None = None,
    turn: tuple[int, bool, bool] | None = None,
    pixel_aspect: Fraction | None = None,
) -> Path:
    """Write a video whose picture i shows the number `first + i`.

    Args:
        path: target; its folder is created.
        pictures: number of pictures; ignored with `times_ms`.
        container: container; by default that of the suffix (mp4: index at the end).
        fps: frame rate; with `times_ms`, only the declared rate.
        times_ms: presentation time of each picture, for a variable frame rate.
        start_ms: time of the first picture.
        size: width and height, both even.
        first: number of the first picture.
        keyframe_every: distance between keyframes, in pictures.
        b_frames: number of B-frames between two other pictures.
        codec: encoder.
        options: additional encoder options, for example {"x264-params": "open-gop=1"}.
        audio: whether to add a silent audio track.
        audio_seconds: its length; by default that of the pictures.
        muxer: additional options of the container.
        turn: display matrix: degrees counterclockwise, then whether to mirror columns, and rows.
        pixel_aspect: declared width of a pixel divided by its height.
    """
    container = container or _container_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(fps)
    unit = 1 / rate if times_ms is None else Fraction(1, 1000)
    times = [i / rate for i in range(pictures)] if times_ms is None else [Fraction(t, 1000) for t in times_ms]
    written = _MUXER_OPTIONS[container] | (muxer or {})
    with av.open(str(path), "w", format=_MUXER[container], options=written) as output:
        stream = add_video_stream(output, rate=rate, unit=unit, size=size, codec=codec)
        stream.codec_context.options = _encoder_options(codec, keyframe_every, b_frames) | (options or {})
        if turn is not None:
            stream.set_display_rotation(*turn)
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        audio_stream = output.add_stream("aac", rate=16000, layout="mono") if audio else None
        if audio_stream is not None:
            pictures_end = float(times[-1] + 1 / rate)
            _mux_silence(output, audio_stream, seconds=audio_seconds or pictures_end)
        for i, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(first + i, size=size), format="yuv420p")
            frame.pts = round((seconds + Fraction(start_ms, 1000)) / unit)
            frame.time_base = unit
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_audio(path: Path, *, seconds: float = 1.0) -> Path:
    """Write a file with audio only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=_MUXER[_container_of(path)]) as output:
        _mux_silence(output, output.add_stream("aac", rate=16000, layout="mono"), seconds=seconds)
    return path


def write_two_streams(
    path: Path, pictures: int = 50, *, sizes: Sequence[tuple[int, int]], attached_picture: bool = False
) -> Path:
    """Write a file with one video stream per size, after a large attached picture if `attached_picture`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(25)
    with av.open(str(path), "w", format=_MUXER[_container_of(path)]) as output:
        still = output.add_stream("mjpeg", rate=rate) if attached_picture else None
        if still is not None:
            still.width, still.height, still.pix_fmt = 640, 480, "yuvj420p"
            still.disposition = av.stream.Disposition.attached_pic
        streams = [add_video_stream(output, rate=rate, unit=1 / rate, size=size) for size in sizes]
        if still is not None:
            image = av.VideoFrame.from_ndarray(picture(0, size=(640, 480)), format="yuv420p")
            image.pts = 0
            output.mux([*still.encode(image.reformat(format="yuvj420p")), *still.encode(None)])
        for i in range(pictures):
            for stream, size in zip(streams, sizes, strict=True):
                frame = av.VideoFrame.from_ndarray(picture(i, size=size), format="yuv420p")
                frame.pts, frame.time_base = i, 1 / rate
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    return path


def picture(number: int, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a yuv420p picture (height x 3/2 rows) that shows `number`, 0 to 65,535."""
    width, height = size
    high, low = divmod(number, 256)
    bits = np.unpackbits(np.array([high, low, high ^ low ^ _CHECK], np.uint8)).reshape(3, 8)
    rows, columns = np.arange(height) * 3 // height, np.arange(width) * 8 // width
    noise = np.random.default_rng(number).integers(0, _NOISE, (height, width))  # so that packets are not tiny
    luma = np.where(bits[rows[:, None], columns[None, :]], _WHITE - noise, _BLACK + noise).astype(np.uint8)
    chroma = np.full((height // 2, width), 128, np.uint8)
    return np.concatenate([luma, chroma])


def number_of(luma: NDArray[np.uint8]) -> int | None:
    """Read the number from a luma plane (rows x columns, any size); None if unreadable."""
    height, width = luma.shape
    values = np.empty((3, 8))
    for row in range(3):
        for column in range(8):
            top, bottom = (int((row + share) * height / 3) for share in (0.25, 0.75))
            left, right = (int((column + share) * width / 8) for share in (0.25, 0.75))
            values[row, column] = luma[top : bottom + 1, left : right + 1].mean()
    if np.any(np.abs(values - (_BLACK + _WHITE) / 2) < (_WHITE - _BLACK) / 6):
        return None
    high, low, check = np.packbits(values > (_BLACK + _WHITE) / 2).tolist()
    return high * 256 + low if high ^ low ^ _CHECK == check else None


def numbers_by_pts(path: Path) -> dict[int, int | None]:
    """Return the number of every picture that PyAV decodes, by presentation time."""
    result: dict[int, int | None] = {}
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                plane = frame.planes[0]
                luma = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
                assert frame.pts is not None
                result[frame.pts] = number_of(luma)
    return result


def truncate(path: Path, share: float) -> Path:
    """Keep the first `share` of a file, like an interrupted download."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def flip_bytes(path: Path, count: int, *, seed: int, span: tuple[float, float] = (0.3, 0.9)) -> Path:
    """Change `count` random bytes within `span`, given as shares of the file's length."""
    content = bytearray(path.read_bytes())
    rng = random.Random(seed)
    for _ in range(count):
        content[rng.randrange(*(int(len(content) * share) for share in span))] ^= rng.randrange(1, 256)
    path.write_bytes(content)
    return path


def drop_packets(source: Path, target: Path, *, keep: Callable[[int], bool]) -> Path:
    """Copy those packets of a video whose index satisfies `keep`; times stay unchanged."""
    target.parent.mkdir(parents=True, exist_ok=True)
    container = _container_of(target)
    with (
        av.open(str(source)) as input_file,
        av.open(str(target), "w", format=_MUXER[container], options=_MUXER_OPTIONS[container]) as output,
    ):
        stream = output.add_stream_from_template(input_file.streams.video[0])
        packets = (packet for packet in input_file.demux(video=0) if packet.size)
        for number, packet in enumerate(packets):
            if keep(number):
                packet.stream = stream
                output.mux(packet)
    return target


def delay(source: Path, target: Path, *, delay_ms: int, sound: bool = True) -> Path:
    """Copy a video with pictures `delay_ms` later, beside silence that starts at 0, as streaming recorders leave it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    container = _container_of(target)
    with (
        av.open(str(source)) as input_file,
        av.open(str(target), "w", format=_MUXER[container], options=_MUXER_OPTIONS[container]) as output,
    ):
        template = input_file.streams.video[0]
        stream = output.add_stream_from_template(template)
        if sound:
            audio_stream = output.add_stream("aac", rate=16000, layout="mono")
            _mux_silence(output, audio_stream, seconds=1 + delay_ms / 1000)
        for packet in input_file.demux(template):
            if packet.dts is not None and packet.pts is not None:
                late = round(Fraction(delay_ms, 1000) / packet.time_base)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
                packet.stream = stream
                output.mux(packet)
    return target


def add_video_stream(
    output: Any, *, rate: Fraction, unit: Fraction, size: tuple[int, int], codec: str = "libx264"
) -> Any:
    """Add a yuv420p stream with time base `unit` (seconds) to an open container."""
    stream = output.add_stream(codec, rate=rate)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = unit
    stream.codec_context.thread_count = 1
    return stream


def _container_of(path: Path) -> Container:
    match path.suffix.lower():
        case ".mkv":
            return "mkv"
        case ".ts":
            return "ts"
        case _:
            return "mp4"


def _encoder_options(codec: str, keyframe_every: int, b_frames: int) -> dict[str, str]:
    common = {"preset": "ultrafast", "crf": "20", "g": str(keyframe_every), "bf": str(b_frames)}
    if codec == "libx265":
        x265 = f"log-level=none:pools=1:frame-threads=1:keyint={keyframe_every}:bframes={b_frames}:b-adapt=0"
        return common | {"x265-params": x265}
    return common


def _mux_silence(output: Any, stream: Any, *, seconds: float) -> None:
    samples = np.zeros((1, 1024), np.float32)
    for start in range(0, max(1024, int(seconds * 16000)), 1024):
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
