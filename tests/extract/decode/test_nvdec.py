"""NVDEC decoding: tested against stand-ins without a GPU, and against the hardware with one."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import av
import numpy as np
import pytest
import torch
from support import media

from bas.clock import place_on_clock
from bas.config.base import Decoder
from bas.dataset.video.probe import VideoTimes, probe
from bas.errors import UnavailableError
from bas.extract.decode import backends, cpu, nvdec, nvdec_probe
from bas.extract.decode.frames import DecodeStats, Frame, read_frames
from bas.extract.decode.pictures import Picture
from bas.extract.decode.seek import SeekPoint

CUDA = torch.device("cuda", 0)
Source = Callable[[Iterator[Picture]], Iterator[Picture]]


@pytest.fixture(autouse=True)
def clear_caches() -> Iterator[None]:
    """No test sees cached results or messages of another."""
    backends._print_once.cache_clear()
    nvdec_probe._unavailable_reason.cache_clear()
    yield
    nvdec_probe._unavailable_reason.cache_clear()


def read(
    path: Path, decoder: Decoder, *, device: torch.device = CUDA, start: int = 0, stats: DecodeStats
) -> list[Frame]:
    times = probe(path)
    clock_frames = place_on_clock(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(25))
    return list(
        read_frames(
            times,
            clock_frames,
            start=start,
            stop=len(clock_frames),
            decoder=decoder,
            device=device,
            stats=stats,
        )
    )


def sums(frames: list[Frame]) -> list[tuple[int, int, bool, int]]:
    return [
        (
            frame.number,
            frame.pts,
            frame.is_valid,
            crc32(torch.as_tensor(frame.luma).cpu().numpy().tobytes()),
        )
        for frame in frames
    ]


# Faults of a decoder, as filters on a source of pictures with their times.


def drop_first(source: Iterator[Picture]) -> Iterator[Picture]:
    next(source)
    yield from source


def delay_by_two_without_flush(source: Iterator[Picture]) -> Iterator[Picture]:
    waiting: list[Picture] = []
    for picture in source:
        waiting.append(picture)
        if len(waiting) > 2:
            yield waiting.pop(0)


def repeat_each(source: Iterator[Picture]) -> Iterator[Picture]:
    for picture in source:
        yield picture
        yield picture


def drop_some(source: Iterator[Picture]) -> Iterator[Picture]:
    yield from (picture for number, picture in enumerate(source) if number % 20 not in (7, 8))


def add_strays(source: Iterator[Picture]) -> Iterator[Picture]:
    for picture in source:
        yield Picture(picture.pts - 1, np.zeros_like(picture.luma))
        yield picture


def fail_at_once(source: Iterator[Picture]) -> Iterator[Picture]:
    raise UnavailableError("no engine is free")
    yield from source


def fail_late(source: Iterator[Picture]) -> Iterator[Picture]:
    for number, picture in enumerate(source):
        if number == 30:
            raise UnavailableError("too many macroblocks")
        yield picture


def lose_every_other(source: Iterator[Picture]) -> Iterator[Picture]:
    yield from (picture for number, picture in enumerate(source) if number % 2)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Source], None]:
    """Make NVDEC available, its pictures coming from the CPU through a given fault."""

    def install(fault: Source) -> None:
        def decode_pictures(
            times: VideoTimes, point: SeekPoint, *, stats: DecodeStats, **_: Any
        ) -> Iterator[Picture]:
            with closing(cpu.decode_pictures(times, point, stats=DecodeStats())) as source:
                for picture in fault(source):
                    stats.pictures += 1
                    yield picture

        monkeypatch.setattr(nvdec_probe, "unavailable_reason", lambda index: "")
        monkeypatch.setattr(nvdec, "load", lambda: None)
        monkeypatch.setattr(nvdec, "decode_pictures", decode_pictures)

    return install


@pytest.mark.fault("V09")
@pytest.mark.parametrize(
    ("fault", "redecoded"),
    [
        (iter, 0),
        (drop_first, 1),
        (delay_by_two_without_flush, 2),
        (repeat_each, 0),
        (drop_some, 10),
        (add_strays, 0),
    ],
)
@pytest.mark.parametrize("decoder", ["auto", "nvdec"])
def test_every_frame_shows_its_picture_whatever_the_decoder_leaves_out(
    tmp_path: Path, stand_in: Callable[[Source], None], fault: Source, redecoded: int, decoder: Decoder
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100)
    stand_in(fault)
    stats = DecodeStats()
    assert sums(read(path, decoder, stats=stats)) == sums(read(path, "cpu", stats=DecodeStats()))
    assert (stats.decoder, stats.redecoded, stats.missing_or_damaged) == ("nvdec", redecoded, 0)


@pytest.mark.fault("V17")
@pytest.mark.parametrize("fault", [fail_at_once, fail_late, lose_every_other])
def test_auto_continues_on_the_cpu_when_nvdec_fails_and_reports_it_once(
    tmp_path: Path, stand_in: Callable[[Source], None], capfd: pytest.CaptureFixture[str], fault: Source
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100)
    stand_in(fault)
    whole = sums(read(path, "cpu", stats=DecodeStats()))
    for start in (0, 40):
        stats = DecodeStats()
        assert sums(read(path, "auto", start=start, stats=stats)) == whole[start:]
        assert stats.decoder == "cpu"
        assert stats.reason
    assert capfd.readouterr().err.count(stats.reason) == 1


@pytest.mark.fault("V17")
def test_an_explicit_nvdec_that_fails_is_an_error_with_a_remedy(
    tmp_path: Path, stand_in: Callable[[Source], None]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 50)
    stand_in(fail_late)
    with pytest.raises(UnavailableError, match=r"too many macroblocks. Use --decoder auto"):
        read(path, "nvdec", stats=DecodeStats())


def test_auto_falls_back_to_the_cpu_if_nvdec_delivers_no_picture(
    tmp_path: Path, stand_in: Callable[[Source], None]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 20)
    stand_in(lambda source: iter(()))
    stats = DecodeStats()
    assert len(read(path, "auto", stats=stats)) == 20
    assert stats.decoder == "cpu"
    assert "delivered no picture" in stats.reason


def test_pictures_that_the_cpu_cannot_decode_either_are_missing(
    tmp_path: Path, stand_in: Callable[[Source], None]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100)
    media.flip_bytes(path, 10, seed=1)
    stand_in(iter)
    assert sums(read(path, "auto", stats=DecodeStats())) == sums(read(path, "cpu", stats=DecodeStats()))


def test_auto_decodes_on_the_cpu_if_the_encoder_runs_there(tmp_path: Path) -> None:
    stats = DecodeStats()
    read(media.write_video(tmp_path / "v.mkv", 3), "auto", device=torch.device("cpu"), stats=stats)
    assert (stats.decoder, stats.reason) == ("cpu", "the encoder runs on the CPU")


@pytest.mark.fault("V17")
def test_auto_without_a_driver_uses_the_cpu_and_reports_why_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 3)
    monkeypatch.setattr(nvdec_probe, "unavailable_reason", lambda index: "libnvcuvid.so.1 is missing")
    for _ in range(2):
        stats = DecodeStats()
        assert len(read(path, "auto", stats=stats)) == 3
        assert (stats.decoder, stats.reason) == ("cpu", "libnvcuvid.so.1 is missing")
    assert capfd.readouterr().err.count("libnvcuvid") == 1


def test_an_explicit_nvdec_without_a_driver_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 3)
    monkeypatch.setattr(nvdec_probe, "unavailable_reason", lambda index: "libnvcuvid.so.1 is missing")
    with pytest.raises(UnavailableError, match=r"libnvcuvid\.so\.1 is missing.*--decoder auto"):
        read(path, "nvdec", stats=DecodeStats())
    with pytest.raises(UnavailableError, match="this run computes on cpu"):
        read(path, "nvdec", device=torch.device("cpu"), stats=DecodeStats())


@pytest.mark.fault("V17")
def test_auto_uses_the_cpu_if_the_module_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvdec_probe, "unavailable_reason", lambda index: "")
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", None)
    stats = DecodeStats()
    backends.choose_decoder("auto", CUDA, stats=stats)
    assert stats.decoder == "cpu"
    assert "PyNvVideoCodec cannot be imported" in stats.reason


def test_each_missing_library_of_the_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libcuda.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1"):

        def load(library: str, missing: str = name) -> Any:
            if library == missing:
                raise OSError(missing)

        monkeypatch.setattr(ctypes, "CDLL", load)
        nvdec_probe._unavailable_reason.cache_clear()
        assert nvdec_probe.unavailable_reason(0).startswith(name)


@pytest.mark.parametrize(
    ("code", "count", "reason"),
    [(100, 0, "does not start (CUDA error 100)"), (0, 0, "CUDA devices of this machine: 0"), (0, 1, "")],
)
def test_the_device_is_checked_before_the_module_is_imported(
    monkeypatch: pytest.MonkeyPatch, code: int, count: int, reason: str
) -> None:
    def counts(target: Any) -> int:
        target._obj.value = count
        return 0

    driver = SimpleNamespace(cuInit=lambda flags: code, cuDeviceGetCount=counts)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(nvdec_probe, "_test_decode_problem", lambda index: "")
    assert reason in nvdec_probe.unavailable_reason(0)
    assert bool(nvdec_probe.unavailable_reason(0)) == bool(reason)


def test_a_decoder_that_ends_its_process_ends_only_the_child_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    assert nvdec_probe._test_decode_problem(0) == "decoding a test picture failed: exit status 1"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a driver")
def test_without_a_driver_the_test_decode_names_the_error() -> None:
    assert (
        "test picture failed: RuntimeError: Failed to load NVENC library"
        in nvdec_probe._test_decode_problem(0)
    )


@pytest.mark.fault("V18")
@pytest.mark.needs_cuda
@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.ts", "open.mkv", "hevc.mkv"])
def test_nvdec_and_the_cpu_give_the_same_bytes(tmp_path: Path, cuda: torch.device, name: str) -> None:
    options: dict[str, Any] = {
        "open.mkv": {"options": {"x264-params": "open-gop=1:bframes=3", "preset": "fast"}},
        "hevc.mkv": {"codec": "libx265"},
    }
    path = media.write_video(tmp_path / name, 100, size=(398, 224), **options.get(name, {}))
    for start in (0, 40):
        stats = DecodeStats()
        frames = read(path, "nvdec", device=cuda, start=start, stats=stats)
        assert sums(frames) == sums(read(path, "cpu", start=start, stats=DecodeStats()))
        assert all(isinstance(frame.luma, torch.Tensor) and frame.luma.device == cuda for frame in frames)
        assert (stats.decoder, stats.redecoded) == ("nvdec", 0)


@pytest.mark.needs_cuda
def test_concurrent_engines_give_the_same_bytes(tmp_path: Path, cuda: torch.device) -> None:
    path = media.write_video(tmp_path / "v.mp4", 200, size=(640, 360))
    whole = sums(read(path, "cpu", stats=DecodeStats()))
    with ThreadPoolExecutor(8) as pool:
        starts = range(0, 200, 25)
        parts = pool.map(
            lambda start: sums(read(path, "nvdec", device=cuda, start=start, stats=DecodeStats())), starts
        )
        assert all(part == whole[start:] for start, part in zip(starts, parts, strict=True))


@pytest.mark.fault("V17")
@pytest.mark.needs_cuda
def test_10_bit_video_falls_back_to_the_cpu(tmp_path: Path, cuda: torch.device) -> None:
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 192, "yuv420p10le"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(media.picture(number, size=(256, 192)), format="yuv420p")
            frame.pts = number
            output.mux(stream.encode(frame.reformat(format="yuv420p10le")))
        output.mux(stream.encode(None))
    stats = DecodeStats()
    assert len(read(path, "auto", device=cuda, stats=stats)) == 5
    assert stats.decoder == "cpu"
