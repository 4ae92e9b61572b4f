"""Reading pictures on the model's clock, with the CPU's decoder and real files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media
import numpy as np
import pytest

from bas.clock import Ticks, lay
from bas.dataset.times import VideoTimes, probe
from bas.errors import DataError
from bas.extract import cpu, decode
from bas.extract.decode import Frame, Health, read_frames
from bas.extract.pictures import Picture


def clock(path: Path, *, rate: int = 25) -> tuple[VideoTimes, Ticks]:
    times = probe(path)
    return times, lay(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(rate))


def read(path: Path, start: int = 0, stop: int | None = None, *, health: Health | None = None) -> list[Frame]:
    times, ticks = clock(path)
    stop = len(ticks) if stop is None else stop
    health = health or Health()
    frames = read_frames(times, ticks, start=start, stop=stop, decoder="cpu", device="cpu", health=health)
    return list(frames)


def content(frames: list[Frame]) -> list[tuple[int, int, bool, bytes]]:
    return [(frame.number, frame.pts, frame.sound, np.asarray(frame.luma).tobytes()) for frame in frames]


def numbers(frames: list[Frame]) -> list[int | None]:
    return [media.number_of(np.asarray(frame.luma)) for frame in frames]


def decoder_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "bas-decoder"]


@pytest.mark.parametrize("form", ["mkv", "mp4", "faststart", "fragmented", "ts"])
def test_every_tick_shows_its_own_picture_in_every_container(tmp_path: Path, form: media.Form) -> None:
    path = media.write_video(
        tmp_path / f"v.{'ts' if form == 'ts' else 'mkv' if form == 'mkv' else 'mp4'}", form=form
    )
    health = Health()
    frames = read(path, health=health)
    assert [frame.number for frame in frames] == list(range(50))
    assert numbers(frames) == list(range(50))
    assert all(frame.sound for frame in frames)
    assert health == Health(decoder="cpu", reason="asked for", pictures=50)


@pytest.mark.parametrize("start_ms", [80, 1280])
def test_a_late_start_moves_no_picture(tmp_path: Path, start_ms: int) -> None:
    path = media.write_video(tmp_path / "v.mkv", 30, start_ms=start_ms)
    assert numbers(read(path)) == list(range(30))


def test_fifty_pictures_a_second_show_every_other_one(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mp4", 60, fps=50)
    assert numbers(read(path))[:30] == list(range(0, 60, 2))


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(12)])
def test_any_rate_is_laid_on_the_clock_by_the_nearest_time(tmp_path: Path, fps: Fraction) -> None:
    frames = read(media.write_video(tmp_path / "v.mp4", 60, fps=fps))
    assert all(frame.sound for frame in frames)
    for frame, number in zip(frames, numbers(frames), strict=True):
        assert number is not None
        assert abs(Fraction(number) / fps - Fraction(frame.number, 25)) <= 1 / (2 * fps)


def test_a_varying_rate_shows_the_picture_that_is_nearest_in_time(tmp_path: Path) -> None:
    times_ms = np.cumsum([0, *([40] * 20), *([80] * 10), *([20] * 20), *([40] * 10)]).tolist()
    frames = read(media.write_video(tmp_path / "v.mkv", times_ms=times_ms))
    assert all(frame.sound for frame in frames)
    for frame, number in zip(frames, numbers(frames), strict=True):
        assert number is not None
        distance = abs(times_ms[number] - 40 * frame.number)
        assert distance == min(abs(time_ms - 40 * frame.number) for time_ms in times_ms)


def test_a_file_that_was_cut_shows_what_it_has_and_not_what_it_declares(tmp_path: Path) -> None:
    path = media.cut(media.write_video(tmp_path / "v.mp4", 100, form="faststart"), 0.5)
    frames = read(path)
    assert 30 < len(frames) < 70
    assert numbers([frame for frame in frames if frame.sound]) == [f.number for f in frames if f.sound]
    assert sum(frame.sound for frame in frames) >= len(frames) - 2


CODINGS: dict[str, dict[str, Any]] = {
    "closed.mkv": {},
    "closed.mp4": {},
    "closed.ts": {},
    "fragmented.mp4": {"form": "fragmented"},
    "open.mkv": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal", "preset": "fast"}},
    "open.ts": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal", "preset": "fast"}},
    "refresh.ts": {"b_frames": 0, "options": {"x264-params": "intra-refresh=1", "preset": "fast"}},
    "hevc.mkv": {"codec": "libx265"},
    "hevc.ts": {"codec": "libx265"},
}


@pytest.mark.parametrize("name", CODINGS)
def test_a_read_from_the_middle_equals_a_read_from_the_start(tmp_path: Path, name: str) -> None:
    path = media.write_video(tmp_path / name, 80, **CODINGS[name])
    whole = content(read(path))
    assert [number for number, *_ in whole] == list(range(80))
    for start in (1, 11, 12, 13, 40, 47, 48, 79):
        assert content(read(path, start, min(start + 15, 80))) == whole[start : start + 15]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_read_from_the_middle_of_a_damaged_video_equals_one_from_the_start(
    tmp_path: Path, seed: int
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 120, keyframe_every=10)
    media.flip_bytes(path, 25, seed=seed)
    whole = content(read(path))
    assert not all(sound for _, _, sound, _ in whole)
    for start in range(3, len(whole), 13):
        assert content(read(path, start, start + 3)) == whole[start : start + 3]


def test_luma_is_the_plane_as_it_was_decoded(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mp4", 5, size=(398, 224))  # rows of 398 are padded in memory
    with av.open(str(path)) as container:
        planes = [frame.to_ndarray(format="yuv420p")[:224] for frame in container.decode(video=0)]
    lumas = [np.asarray(frame.luma) for frame in read(path)]
    assert all(np.array_equal(luma, plane) for luma, plane in zip(lumas, planes, strict=True))
    assert 4 <= lumas[0].min() < 20
    assert lumas[0].max() < 245


def test_ticks_have_memory_of_their_own(tmp_path: Path) -> None:
    frames = read(media.write_video(tmp_path / "v.mp4", 5))
    np.asarray(frames[0].luma)[:] = 0
    assert numbers(frames)[1:] == [1, 2, 3, 4]


def test_pictures_of_ten_bits_keep_their_highest_eight(tmp_path: Path) -> None:
    path = write_in_format(tmp_path / "v.mkv", "yuv420p10le")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        deep = np.frombuffer(bytes(frame.planes[0]), "<u2").reshape(-1, frame.planes[0].line_size // 2)
    (luma,) = (np.asarray(frame.luma) for frame in read(path))
    assert np.array_equal(luma, np.minimum((deep[:96, :128] + 2) >> 2, 255))


def test_pictures_without_a_luma_plane_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = write_in_format(tmp_path / "v.mkv", "rgb24", codec="libx264rgb")
    with pytest.raises(DataError, match=r"format gbrp; .*ffmpeg -i VIDEO -pix_fmt yuv420p"):
        read(path)


def test_a_change_of_size_on_the_way_changes_the_size_of_the_pictures(tmp_path: Path) -> None:
    small = media.write_video(tmp_path / "a.ts", 25, size=(128, 96))
    large = media.write_video(
        tmp_path / "b.ts", 25, size=(256, 192), first=25, start_ms=1080
    )  # the first file begins at 80 ms
    (tmp_path / "v.ts").write_bytes(small.read_bytes() + large.read_bytes())
    frames = [frame for frame in read(tmp_path / "v.ts") if frame.sound]
    assert {frame.luma.shape for frame in frames} == {(96, 128), (192, 256)}
    assert numbers(frames) == [frame.number for frame in frames]
    assert len(frames) >= 48


def test_several_reads_at_once_disturb_one_another_in_nothing(tmp_path: Path) -> None:
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


def test_closing_ends_the_decoder(tmp_path: Path) -> None:
    times, ticks = clock(media.write_video(tmp_path / "v.mkv", 200, size=(320, 240), keyframe_every=200))
    frames = read_frames(times, ticks, start=0, stop=200, decoder="cpu", device="cpu", health=Health())
    assert next(frames).number == 0
    assert decoder_threads()
    since = time.monotonic()
    frames.close()
    assert time.monotonic() - since < 10
    assert not decoder_threads()


def test_an_interrupt_at_the_consumer_ends_the_decoder(tmp_path: Path) -> None:
    times, ticks = clock(media.write_video(tmp_path / "v.mkv", 100))
    frames = read_frames(times, ticks, start=0, stop=100, decoder="cpu", device="cpu", health=Health())
    next(frames)
    with pytest.raises(KeyboardInterrupt):
        frames.throw(KeyboardInterrupt)
    assert not decoder_threads()


def replace_source(monkeypatch: pytest.MonkeyPatch, source: Any) -> None:
    monkeypatch.setattr(cpu, "pictures", lambda *_, **__: source())


def test_an_error_of_the_decoder_comes_up_at_the_consumer(
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


def test_a_decoder_that_hangs_is_given_up_and_the_file_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def source() -> Iterator[Picture]:
        released.wait(10)
        yield Picture(0, np.zeros((2, 2), np.uint8))

    path = media.write_video(tmp_path / "v.mkv", 10)
    replace_source(monkeypatch, source)
    monkeypatch.setattr(decode, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("bas.extract.ahead._JOIN_SECONDS", 0.1)
    with pytest.raises(DataError, match=r"v\.mkv gave no picture"):
        read(path)
    released.set()
    for thread in decoder_threads():
        thread.join(5)


def test_a_video_of_which_nothing_can_be_decoded_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> Iterator[Picture]:
        yield from ()

    path = media.write_video(tmp_path / "v.mkv", 30)
    replace_source(monkeypatch, nothing)
    with pytest.raises(DataError, match=r"No picture of .*v\.mkv can be decoded"):
        read(path, 20, 30)


def test_a_video_without_a_single_keyframe_is_an_error(tmp_path: Path) -> None:
    whole = media.write_video(tmp_path / "whole.mkv", 30, keyframe_every=100, b_frames=0)
    path = media.drop_packets(whole, tmp_path / "v.mkv", keep=lambda number: number > 0)
    with pytest.raises(DataError, match=r"No picture of .*v\.mkv can be decoded"):
        read(path)


def write_in_format(path: Path, pixels: str, *, codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, pixels
        frame = av.VideoFrame.from_ndarray(media.picture(7, size=(128, 96)), format="yuv420p")
        output.mux([*stream.encode(frame.reformat(format=pixels)), *stream.encode(None)])
    return path
