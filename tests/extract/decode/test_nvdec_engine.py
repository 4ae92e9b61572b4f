"""The calls into PyNvVideoCodec, tested against a stand-in that decodes with FFmpeg."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import av
import numpy as np
import pytest
import torch
from support import media

from bas.dataset.video.probe import probe
from bas.errors import UnavailableError
from bas.extract.decode import cpu, nvdec
from bas.extract.decode.pictures import DecodeStats, Picture
from bas.extract.decode.seek import seek_point

CUDA = torch.device("cuda", 0)


class Surface:
    """A decoded NV12 picture in the decoder's pool."""

    def __init__(self, nv12: np.ndarray, pts: int) -> None:
        self._nv12, self._pts = nv12, pts

    def getPTS(self) -> int:
        return self._pts

    def __dlpack__(self, **options: Any) -> Any:
        return self._nv12.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self._nv12.__dlpack_device__()


class Engine:
    """Behaves like PyNvDecoder: Annex B in, pictures in presentation order out, their memory reused."""

    def __init__(self, codec: str, *, usedevicememory: bool, **options: Any) -> None:
        assert usedevicememory
        self._context: Any = av.CodecContext.create(codec, "r")
        self._context.thread_count = 1
        self._pool: list[np.ndarray] = []
        self._ended = False

    def Decode(self, packet: Any) -> list[Surface]:
        for used in self._pool:
            used[:] = 0
        self._pool = []
        assert not self._ended
        if packet.bsl == 0:
            self._ended = True
            return [self._surface(frame) for frame in self._context.decode(None)]
        content = av.Packet(ctypes.string_at(packet.bsl_data, packet.bsl))
        content.pts = packet.pts
        return [self._surface(frame) for frame in self._context.decode(content)]

    def _surface(self, frame: Any) -> Surface:
        self._pool.append(frame.reformat(format="nv12").to_ndarray().copy())
        return Surface(self._pool[-1], frame.pts)


class CodecError(Exception):
    """Stand-in for PyNvVCException."""


class UnsupportedError(Exception):
    """Stand-in for PyNvVCExceptionUnsupported, which the module often raises late."""


def module(engine: type[Engine]) -> Any:
    def create(*, codec: str, **options: Any) -> Engine:
        return engine(codec, **options)

    result: Any = ModuleType("PyNvVideoCodec")
    result.cudaVideoCodec = SimpleNamespace(H264="h264", HEVC="hevc")
    result.PacketData = lambda: SimpleNamespace(bsl=0, bsl_data=0, pts=0)
    result.CreateDecoder = create
    result.PyNvVCException = CodecError
    result.PyNvVCExceptionUnsupported = UnsupportedError
    return result


class Stream(nullcontext[None]):
    cuda_stream = 0

    def synchronize(self) -> None:
        pass


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", module(Engine))
    monkeypatch.setattr(nvdec, "_side_stream", lambda device: Stream())


def content(pictures: Iterator[Picture]) -> list[tuple[int, bytes]]:
    return [(picture.pts, np.asarray(picture.luma).tobytes()) for picture in pictures]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("v.mkv", {}),
        ("v.mp4", {}),
        ("v.ts", {}),
        ("open.mkv", {"options": {"x264-params": "open-gop=1:bframes=3", "preset": "fast"}}),
        ("open.mp4", {"options": {"x264-params": "open-gop=1:bframes=3", "preset": "fast"}}),
        ("hevc.mkv", {"codec": "libx265"}),
        ("hevc.mp4", {"codec": "libx265"}),
    ],
)
def test_the_engine_receives_a_decodable_stream_from_any_keyframe(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    times = probe(media.write_video(tmp_path / name, 60, **options))
    whole = content(cpu.decode_pictures(times, seek_point(times, 0), stats=DecodeStats()))
    for number in (0, 35, 59):
        point = seek_point(times, int(times.pts[number]))
        expected = [(pts, luma) for pts, luma in whole if pts >= point.first_shown]
        stats = DecodeStats()
        assert content(cpu.decode_pictures(times, point, stats=DecodeStats())) == expected
        assert content(nvdec.decode_pictures(times, point, device=CUDA, stats=stats)) == expected
        assert stats.pictures == len(expected) > 0


@pytest.mark.parametrize("error", [RuntimeError, CodecError, UnsupportedError])
@pytest.mark.parametrize("after", [0, 20])
def test_every_error_of_the_module_is_reported_as_an_nvdec_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], after: int
) -> None:
    class Failing(Engine):
        calls = 0

        def Decode(self, packet: Any) -> list[Surface]:
            Failing.calls += 1
            if Failing.calls > after:
                raise error("MBCount not supported\nmore text")
            return super().Decode(packet)

    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", module(Failing))
    times = probe(media.write_video(tmp_path / "v.mkv", 40))
    with pytest.raises(UnavailableError, match=r"NVDEC failed on .*v\.mkv: MBCount not supported$"):
        list(nvdec.decode_pictures(times, seek_point(times, 0), device=CUDA, stats=DecodeStats()))


def test_a_stream_that_cannot_be_filtered_is_reported_as_an_nvdec_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(filters: str, stream: Any) -> NoReturn:
        raise av.error.InvalidDataError(1, "parameter sets")

    monkeypatch.setattr(av, "BitStreamFilterContext", refuse)
    times = probe(media.write_video(tmp_path / "v.mp4", 10))
    with pytest.raises(UnavailableError, match=r"NVDEC failed on .*v\.mp4: .*parameter sets"):
        list(nvdec.decode_pictures(times, seek_point(times, 0), device=CUDA, stats=DecodeStats()))


def test_pictures_of_damaged_packets_are_not_delivered(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.ts", 60)
    content_bytes = bytearray(path.read_bytes())
    content_bytes[188 * 60 : 188 * 63] = bytes(188 * 3)
    path.write_bytes(content_bytes)
    times, stats = probe(path), DecodeStats()
    pictures = list(nvdec.decode_pictures(times, seek_point(times, 0), device=CUDA, stats=stats))
    assert stats.corrupt > 0
    assert 30 < len(pictures) < 60


@pytest.mark.fault("V17")
def test_unsupported_video_is_refused_with_its_format(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv422p"
        frame = av.VideoFrame.from_ndarray(media.picture(7, size=(128, 96)), format="yuv420p")
        output.mux([*stream.encode(frame.reformat(format="yuv422p")), *stream.encode(None)])
    times = probe(path)
    with pytest.raises(UnavailableError, match="8-bit 4:2:0 H.264 and HEVC; this is h264, yuv422p"):
        next(iter(nvdec.decode_pictures(times, seek_point(times, 0), device=CUDA, stats=DecodeStats())))
