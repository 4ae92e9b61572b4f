"""Reading frames on the model's clock with the CPU decoder, from real files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support import media

from bas.clock import ClockFrames, place_on_clock
from bas.dataset.video.probe import VideoTimes, probe
from bas.errors import DataError
from bas.extract.decode import cpu
from bas.extract.decode import frames as decode
from bas.extract.decode.frames import DecodeStats, Frame, read_frames
from bas.extract.decode.pictures import Picture


def on_clock(path: Path, *, rate: int = 25) -> tuple[VideoTimes, ClockFrames]:
    times = probe(path)
    return times, place_on_clock(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(rate))


def read(
    path: Path, start: int = 0, stop: int | None = None, *, stats: DecodeStats | None = None
) -> list[Frame]:
    times, clock_frames = on_clock(path)
    stop = len(clock_frames) if stop is None else stop
    stats = stats or DecodeStats()
    frames = read_frames(
        times, clock_frames, start=start, stop=stop, decoder="cpu", device="cpu", stats=stats
    )
    return list(frames)


def content(frames: list[Frame]) -> list[tuple[int, int, bool, bytes]]:
    return [(frame.number, frame.pts, frame.is_valid, np.asarray(frame.luma).tobytes()) for frame in frames]


def numbers(frames: list[Frame]) -> list[int | None]:
    return [media.number_of(np.asarray(frame.luma)) for frame in frames]


def decoder_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "bas-decoder"]


@pytest.mark.parametrize("form", ["mkv", "mp4", "faststart", "fragmented", "ts"])
def test_every_frame_shows_its_own_picture_in_every_container(tmp_path: Path, form: media.Container) -> None:
    path = media.write_video(
        tmp_path / f"v.{'ts' if form == 'ts' else 'mkv' if form == 'mkv' else 'mp4'}", container=form
    )
    stats = DecodeStats()
    frames = read(path, stats=stats)
    assert [frame.number for frame in frames] == list(range(50))
    assert numbers(frames) == list(range(50))
    assert all(frame.is_valid for frame in frames)
    assert stats == DecodeStats(decoder="cpu", reason="requested", pictures=50)


@pytest.mark.fault("V06")
@pytest.mark.parametrize("start_ms", [80, 1280])
def test_a_late_start_shifts_no_picture(tmp_path: Path, start_ms: int) -> None:
    path = media.write_video(tmp_path / "v.mkv", 30, start_ms=start_ms)
    assert numbers(read(path)) == list(range(30))


def test_at_50_fps_every_other_picture_is_shown(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mp4", 60, fps=50)
    assert numbers(read(path))[:30] == list(range(0, 60, 2))


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(12)])
def test_any_rate_is_placed_on_the_clock_by_nearest_time(tmp_path: Path, fps: Fraction) -> None:
    frames = read(media.write_video(tmp_path / "v.mp4", 60, fps=fps))
    assert all(frame.is_valid for frame in frames)
    for frame, number in zip(frames, numbers(frames), strict=True):
        assert number is not None
        assert abs(Fraction(number) / fps - Fraction(frame.number, 25)) <= 1 / (2 * fps)


@pytest.mark.fault("V07", "P05")
def test_a_varying_rate_shows_the_picture_that_is_nearest_in_time(tmp_path: Path) -> None:
    times_ms = np.cumsum([0, *([40] * 20), *([80] * 10), *([20] * 20), *([40] * 10)]).tolist()
    frames = read(media.write_video(tmp_path / "v.mkv", times_ms=times_ms))
    assert all(frame.is_valid for frame in frames)
    for frame, number in zip(frames, numbers(frames), strict=True):
        assert number is not None
        distance = abs(times_ms[number] - 40 * frame.number)
        assert distance == min(abs(time_ms - 40 * frame.number) for time_ms in times_ms)


@pytest.mark.fault("V02", "V08", "P02")
def test_a_truncated_file_shows_the_pictures_it_has_not_those_it_declares(tmp_path: Path) -> None:
    path = media.truncate(media.write_video(tmp_path / "v.mp4", 100, container="faststart"), 0.5)
    frames = read(path)
    assert 30 < len(frames) < 70
    assert numbers([frame for frame in frames if frame.is_valid]) == [f.number for f in frames if f.is_valid]
    assert sum(frame.is_valid for frame in frames) >= len(frames) - 2


CODINGS: dict[str, dict[str, Any]] = {
    "closed.mkv": {},
    "closed.mp4": {},
    "closed.ts": {},
    "fragmented.mp4": {"container": "fragmented"},
    "open.mkv": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal", "preset": "fast"}},
    "open.ts": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal", "preset": "fast"}},
    "refresh.ts": {"b_frames": 0, "options": {"x264-params": "intra-refresh=1", "preset": "fast"}},
    "hevc.mkv": {"codec": "libx265"},
    "hevc.ts": {"codec": "libx265"},
}


@pytest.mark.fault("V10")
@pytest.mark.parametrize("name", CODINGS)
def test_a_read_from_the_middle_equals_a_read_from_the_start(tmp_path: Path, name: str) -> None:
    path = media.write_video(tmp_path / name, 80, **CODINGS[name])
    whole = content(read(path))
    assert [number for number, *_ in whole] == list(range(80))
    for start in (1, 11, 12, 13, 40, 47, 48, 79):
        assert content(read(path, start, min(start + 15, 80))) == whole[start : start + 15]


@pytest.mark.fault("V10")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_read_from_the_middle_of_a_damaged_video_equals_one_from_the_start(
    tmp_path: Path, seed: int
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 120, keyframe_every=10)
    media.flip_bytes(path, 25, seed=seed)
    whole = content(read(path))
    assert not all(is_valid for _, _, is_valid, _ in whole)
    for start in range(3, len(whole), 13):
        assert content(read(path, start, start + 3)) == whole[start : start + 3]


@pytest.mark.fault("V18")
def test_luma_is_the_decoded_plane(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mp4", 5, size=(398, 224))  # rows of 398 are padded in memory
    with av.open(str(path)) as container:
        planes = [frame.to_ndarray(format="yuv420p")[:224] for frame in container.decode(video=0)]
    lumas = [np.asarray(frame.luma) for frame in read(path)]
    assert all(np.array_equal(luma, plane) for luma, plane in zip(lumas, planes, strict=True))
    assert 4 <= lumas[0].min() < 20
    assert lumas[0].max() < 245


def test_frames_do_not_share_memory(tmp_path: Path) -> None:
    frames = read(media.write_video(tmp_path / "v.mp4", 5))
    np.asarray(frames[0].luma)[:] = 0
    assert numbers(frames)[1:] == [1, 2, 3, 4]


def test_10_bit_pictures_are_rounded_to_their_highest_8_bits(tmp_path: Path) -> None:
    path = write_in_format(tmp_path / "v.mkv", "yuv420p10le")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        deep = np.frombuffer(bytes(frame.planes[0]), "<u2").reshape(-1, frame.planes[0].line_size // 2)
    (luma,) = (np.asarray(frame.luma) for frame in read(path))
    assert np.array_equal(luma, np.minimum((deep[:96, :128] + 2) >> 2, 255))


def test_pictures_without_a_luma_plane_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = write_in_format(tmp_path / "v.mkv", "rgb24", codec="libx264rgb")
    with pytest.raises(DataError, match=r"pixel format gbrp; .*ffmpeg -i VIDEO -pix_fmt yuv420p"):
        read(path)


@pytest.mark.fault("V13")
def test_pictures_change_size_where_the_video_does(tmp_path: Path) -> None:
    small = media.write_video(tmp_path / "a.ts", 25, size=(128, 96))
    large = media.write_video(
        tmp_path / "b.ts", 25, size=(256, 192), first=25, start_ms=1080
    )  # the first file begins at 80 ms
    (tmp_path / "v.ts").write_bytes(small.read_bytes() + large.read_bytes())
    frames = [frame for frame in read(tmp_path / "v.ts") if frame.is_valid]
    assert {frame.luma.shape for frame in frames} == {(96, 128), (192, 256)}
    assert numbers(frames) == [frame.number for frame in frames]
    assert len(frames) >= 48


def test_concurrent_reads_do_not_affect_each_other(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mkv", 80)
    media.flip_bytes(path, 10, seed=3)
    whole = content(read(path))
    parts: dict[int, Any] = {}
    starts = range(0, len(whole), 20)
    threads = [
        threading.Thread(
            target=lambda start=start: parts.update({start: content(read(path, start, start + 20))})
        )
        for start in starts[:-1]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [frame for start in starts[:-1] for frame in parts[start]] == whole[: starts[-1]]


def test_an_empty_range_reads_nothing(tmp_path: Path) -> None:
    assert read(media.write_video(tmp_path / "v.mp4", 5), 3, 3) == []


def test_closing_ends_the_decoder_thread(tmp_path: Path) -> None:
    times, clock_frames = on_clock(
        media.write_video(tmp_path / "v.mkv", 200, size=(320, 240), keyframe_every=200)
    )
    frames = read_frames(
        times, clock_frames, start=0, stop=200, decoder="cpu", device="cpu", stats=DecodeStats()
    )
    assert next(frames).number == 0
    assert decoder_threads()
    since = time.monotonic()
    frames.close()
    assert time.monotonic() - since < 10
    assert not decoder_threads()


@pytest.mark.fault("V16")
def test_an_interrupt_in_the_consumer_ends_the_decoder_thread(tmp_path: Path) -> None:
    times, clock_frames = on_clock(media.write_video(tmp_path / "v.mkv", 100))
    frames = read_frames(
        times, clock_frames, start=0, stop=100, decoder="cpu", device="cpu", stats=DecodeStats()
    )
    next(frames)
    with pytest.raises(KeyboardInterrupt):
        frames.throw(KeyboardInterrupt)
    assert not decoder_threads()


def replace_source(monkeypatch: pytest.MonkeyPatch, source: Any) -> None:
    monkeypatch.setattr(cpu, "decode_pictures", lambda *_, **__: source())


@pytest.mark.fault("T08", "P27")
def test_an_error_in_the_decoder_is_raised_in_the_consumer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def source() -> Iterator[Picture]:
        yield Picture(0, np.zeros((2, 2), np.uint8))
        raise DataError("the disk is gone")

    path = media.write_video(tmp_path / "v.mkv", 10)
    replace_source(monkeypatch, source)
    with pytest.raises(DataError, match="the disk is gone"):
        read(path)
    assert not decoder_threads()


@pytest.mark.fault("V15", "T08")
def test_a_hanging_decoder_raises_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def source() -> Iterator[Picture]:
        released.wait(10)
        yield Picture(0, np.zeros((2, 2), np.uint8))

    path = media.write_video(tmp_path / "v.mkv", 10)
    replace_source(monkeypatch, source)
    monkeypatch.setattr(decode, "_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr("bas.extract.decode.prefetch._JOIN_SECONDS", 0.1)
    with pytest.raises(DataError, match=r"v\.mkv: no picture decoded"):
        read(path)
    released.set()
    for thread in decoder_threads():
        thread.join(5)


def test_a_video_without_decodable_pictures_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> Iterator[Picture]:
        yield from ()

    path = media.write_video(tmp_path / "v.mkv", 30)
    replace_source(monkeypatch, nothing)
    with pytest.raises(DataError, match=r"v\.mkv: no picture can be decoded"):
        read(path, 20, 30)


def test_a_video_without_a_single_keyframe_is_an_error(tmp_path: Path) -> None:
    whole = media.write_video(tmp_path / "whole.mkv", 30, keyframe_every=100, b_frames=0)
    path = media.drop_packets(whole, tmp_path / "v.mkv", keep=lambda number: number > 0)
    with pytest.raises(DataError, match=r"v\.mkv: no picture can be decoded"):
        read(path)


def write_in_format(path: Path, pixels: str, *, codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, pixels
        frame = av.VideoFrame.from_ndarray(media.picture(7, size=(128, 96)), format="yuv420p")
        output.mux([*stream.encode(frame.reformat(format=pixels)), *stream.encode(None)])
    return path
