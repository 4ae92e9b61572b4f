"""NVDEC's side of decoding, proved without a GPU as far as that goes, and with one where there is one."""

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
import media
import numpy as np
import pytest
import torch

from bas.clock import lay
from bas.dataset.times import VideoTimes, probe
from bas.errors import UnavailableError
from bas.extract import backends, cpu, nvdec, nvdec_probe
from bas.extract.decode import Decoder, Frame, Health, read_frames
from bas.extract.pictures import Picture
from bas.extract.seek import Entry

CUDA = torch.device("cuda", 0)
Source = Callable[[Iterator[Picture]], Iterator[Picture]]


@pytest.fixture(autouse=True)
def fresh_answers() -> Iterator[None]:
    """No test sees what another one found out or said."""
    backends._say_once.cache_clear()
    nvdec_probe._obstacle.cache_clear()
    yield
    nvdec_probe._obstacle.cache_clear()


def read(
    path: Path, decoder: Decoder, *, device: torch.device = CUDA, start: int = 0, health: Health
) -> list[Frame]:
    times = probe(path)
    ticks = lay(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(25))
    return list(
        read_frames(times, ticks, start=start, stop=len(ticks), decoder=decoder, device=device, health=health)
    )


def sums(frames: list[Frame]) -> list[tuple[int, int, bool, int]]:
    return [
        (
            frame.number,
            frame.pts,
            frame.sound,
            crc32(torch.as_tensor(frame.luma).cpu().numpy().tobytes()),
        )
        for frame in frames
    ]


# What stands in for the decoder's picture source: the contract is pictures with their times.


def drop_first(source: Iterator[Picture]) -> Iterator[Picture]:
    next(source)
    yield from source


def delay_by_two_without_flush(source: Iterator[Picture]) -> Iterator[Picture]:
    waiting: list[Picture] = []
    for picture in source:
        waiting.append(picture)
        if len(waiting) > 2:
            yield waiting.pop(0)


def say_twice(source: Iterator[Picture]) -> Iterator[Picture]:
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
        def pictures(times: VideoTimes, place: Entry, *, health: Health, **_: Any) -> Iterator[Picture]:
            with closing(cpu.pictures(times, place, health=Health())) as source:
                for picture in fault(source):
                    health.pictures += 1
                    yield picture

        monkeypatch.setattr(nvdec_probe, "obstacle", lambda index: "")
        monkeypatch.setattr(nvdec, "load", lambda: None)
        monkeypatch.setattr(nvdec, "pictures", pictures)

    return install


@pytest.mark.parametrize(
    ("fault", "repaired"),
    [
        (iter, 0),
        (drop_first, 1),
        (delay_by_two_without_flush, 2),
        (say_twice, 0),
        (drop_some, 10),
        (add_strays, 0),
    ],
)
@pytest.mark.parametrize("decoder", ["auto", "nvdec"])
def test_whatever_the_decoder_leaves_out_every_tick_shows_its_picture(
    tmp_path: Path, stand_in: Callable[[Source], None], fault: Source, repaired: int, decoder: Decoder
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100)
    stand_in(fault)
    health = Health()
    assert sums(read(path, decoder, health=health)) == sums(read(path, "cpu", health=Health()))
    assert (health.decoder, health.repaired, health.unsound) == ("nvdec", repaired, 0)


@pytest.mark.parametrize("fault", [fail_at_once, fail_late, lose_every_other])
def test_auto_goes_on_with_the_cpu_when_nvdec_fails_and_says_so_once(
    tmp_path: Path, stand_in: Callable[[Source], None], capfd: pytest.CaptureFixture[str], fault: Source
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100)
    stand_in(fault)
    whole = sums(read(path, "cpu", health=Health()))
    for start in (0, 40):
        health = Health()
        assert sums(read(path, "auto", start=start, health=health)) == whole[start:]
        assert health.decoder == "cpu"
        assert health.reason
    assert capfd.readouterr().err.count(health.reason) == 1


def test_an_explicit_nvdec_that_fails_is_an_error_with_its_remedy(
    tmp_path: Path, stand_in: Callable[[Source], None]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 50)
    stand_in(fail_late)
    with pytest.raises(UnavailableError, match=r"too many macroblocks. Take --decoder auto"):
        read(path, "nvdec", health=Health())


def test_an_engine_that_gives_no_picture_is_not_taken_for_one_that_works(
    tmp_path: Path, stand_in: Callable[[Source], None]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 20)
    stand_in(lambda source: iter(()))
    health = Health()
    assert len(read(path, "auto", health=health)) == 20
    assert health.decoder == "cpu"
    assert "gave no picture" in health.reason


def test_damage_that_the_cpu_cannot_mend_either_is_missing(
    tmp_path: Path, stand_in: Callable[[Source], None]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100)
    media.flip_bytes(path, 10, seed=1)
    stand_in(iter)
    assert sums(read(path, "auto", health=Health())) == sums(read(path, "cpu", health=Health()))


def test_auto_decodes_on_the_cpu_where_the_encoder_runs_there(tmp_path: Path) -> None:
    health = Health()
    read(media.write_video(tmp_path / "v.mkv", 3), "auto", device=torch.device("cpu"), health=health)
    assert (health.decoder, health.reason) == ("cpu", "the encoder runs on the CPU")


def test_auto_without_a_driver_takes_the_cpu_and_says_why_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 3)
    monkeypatch.setattr(nvdec_probe, "obstacle", lambda index: "libnvcuvid.so.1 is missing")
    for _ in range(2):
        health = Health()
        assert len(read(path, "auto", health=health)) == 3
        assert (health.decoder, health.reason) == ("cpu", "libnvcuvid.so.1 is missing")
    assert capfd.readouterr().err.count("libnvcuvid") == 1


def test_an_explicit_nvdec_without_a_driver_is_an_error_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 3)
    monkeypatch.setattr(nvdec_probe, "obstacle", lambda index: "libnvcuvid.so.1 is missing")
    with pytest.raises(UnavailableError, match=r"libnvcuvid\.so\.1 is missing.*--decoder auto"):
        read(path, "nvdec", health=Health())
    with pytest.raises(UnavailableError, match="this run computes on cpu"):
        read(path, "nvdec", device=torch.device("cpu"), health=Health())


def test_a_module_that_does_not_load_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvdec_probe, "obstacle", lambda index: "")
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", None)
    health = Health()
    backends.choose("auto", CUDA, health=health)
    assert health.decoder == "cpu"
    assert "PyNvVideoCodec does not load" in health.reason


def test_each_missing_library_of_the_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libcuda.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1"):

        def load(wanted: str, missing: str = name) -> Any:
            if wanted == missing:
                raise OSError(missing)

        monkeypatch.setattr(ctypes, "CDLL", load)
        nvdec_probe._obstacle.cache_clear()
        assert nvdec_probe.obstacle(0).startswith(name)


@pytest.mark.parametrize(
    ("code", "count", "obstacle"),
    [(100, 0, "does not start (CUDA error 100)"), (0, 0, "there are 0 CUDA devices"), (0, 1, "")],
)
def test_the_device_is_looked_for_before_the_module_is_touched(
    monkeypatch: pytest.MonkeyPatch, code: int, count: int, obstacle: str
) -> None:
    def counts(target: Any) -> int:
        target._obj.value = count
        return 0

    driver = SimpleNamespace(cuInit=lambda flags: code, cuDeviceGetCount=counts)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(nvdec_probe, "_trial_obstacle", lambda index: "")
    assert obstacle in nvdec_probe.obstacle(0)
    assert bool(nvdec_probe.obstacle(0)) == bool(obstacle)


def test_a_decoder_that_ends_its_process_ends_only_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    assert nvdec_probe._trial_obstacle(0) == "a trial picture was not decoded: exit status 1"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a driver")
def test_the_trial_fails_in_words_where_there_is_no_driver() -> None:
    assert "not decoded: RuntimeError: Failed to load NVENC library" in nvdec_probe._trial_obstacle(0)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.ts", "open.mkv", "hevc.mkv"])
def test_nvdec_gives_the_bytes_that_the_cpu_gives(tmp_path: Path, cuda: torch.device, name: str) -> None:
    options: dict[str, Any] = {
        "open.mkv": {"options": {"x264-params": "open-gop=1:bframes=3", "preset": "fast"}},
        "hevc.mkv": {"codec": "libx265"},
    }
    path = media.write_video(tmp_path / name, 100, size=(398, 224), **options.get(name, {}))
    for start in (0, 40):
        health = Health()
        frames = read(path, "nvdec", device=cuda, start=start, health=health)
        assert sums(frames) == sums(read(path, "cpu", start=start, health=Health()))
        assert all(isinstance(frame.luma, torch.Tensor) and frame.luma.device == cuda for frame in frames)
        assert (health.decoder, health.repaired) == ("nvdec", 0)


@pytest.mark.needs_cuda
def test_several_engines_at_once_give_the_same_bytes(tmp_path: Path, cuda: torch.device) -> None:
    path = media.write_video(tmp_path / "v.mp4", 200, size=(640, 360))
    whole = sums(read(path, "cpu", health=Health()))
    with ThreadPoolExecutor(8) as pool:
        starts = range(0, 200, 25)
        parts = pool.map(
            lambda start: sums(read(path, "nvdec", device=cuda, start=start, health=Health())), starts
        )
        assert all(part == whole[start:] for start, part in zip(starts, parts, strict=True))


@pytest.mark.needs_cuda
def test_video_of_ten_bits_falls_back_to_the_cpu(tmp_path: Path, cuda: torch.device) -> None:
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 192, "yuv420p10le"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(media.picture(number, size=(256, 192)), format="yuv420p")
            frame.pts = number
            output.mux(stream.encode(frame.reformat(format="yuv420p10le")))
        output.mux(stream.encode(None))
    health = Health()
    assert len(read(path, "auto", device=cuda, health=health)) == 5
    assert health.decoder == "cpu"
