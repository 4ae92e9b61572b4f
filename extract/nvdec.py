"""Decode on the GPU with PyNvVideoCodec's low-level decoder, fed from the same packets as the CPU.

Its own demuxer is not used: it opens playlists and addresses, takes the stream that it likes, and
its seeking is unreliable. With one reader for both decoders, a picture has the same time in both.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bas.dataset.times import VideoTimes
from bas.errors import UnavailableError
from bas.extract.damage import Damage
from bas.extract.pictures import Health, Picture
from bas.extract.seek import Entry, open_at

if TYPE_CHECKING:
    from av import Packet, VideoStream

_CODECS = {"h264": "H264", "hevc": "HEVC"}
_FORMATS = ("yuv420p", "yuvj420p")
_NO_TIME = -(1 << 63)  # FFmpeg's own; earlier than every picture that is shown


def pictures(
    times: VideoTimes, place: Entry, *, device: torch.device, health: Health
) -> Generator[Picture, None, None]:
    """The pictures from an entry on that NVDEC hands out, in order of presentation.

    NVDEC conceals damage without a word: only what the packets themselves say is left out here,
    and pictures may be missing anywhere. Each call has its own decoder and its own CUDA stream,
    so several may run at once; every picture is finished when it is handed out.

    Raises:
        UnavailableError: NVDEC cannot decode this video, or failed on the way.
    """
    import av

    codec = load()
    with open_at(times, place.decode_from) as (stream, packets):
        _require_supported(stream)
        damage = Damage()
        try:
            side = _side_stream(device)
            decoder = codec.CreateDecoder(
                gpuid=device.index,
                codec=getattr(codec.cudaVideoCodec, _CODECS[stream.codec_context.name]),
                cudacontext=0,
                cudastream=side.cuda_stream,
                usedevicememory=True,
            )
            for packet in _annex_b(stream, packets, damage=damage, health=health):
                for pts, luma in _decode(codec, decoder, packet, side=side):
                    if pts < place.show_from:
                        continue
                    health.pictures += 1
                    if pts in damage:
                        health.damaged += 1
                    else:
                        yield Picture(pts, luma)
        except (
            RuntimeError,
            av.error.FFmpegError,  # of the filter, where the parameter sets are damaged
            codec.PyNvVCException,
            codec.PyNvVCExceptionUnsupported,
        ) as error:
            raise UnavailableError(f"NVDEC failed on {times.path}: {_first_line(error)}") from error


def load() -> ModuleType:
    """PyNvVideoCodec; only to be called where `nvdec_probe.obstacle` found none.

    Raises:
        UnavailableError: it is not installed, or does not fit the driver.
    """
    try:
        import PyNvVideoCodec
    except (ImportError, RuntimeError) as error:  # RuntimeError: a library of the driver is missing
        raise UnavailableError(f"PyNvVideoCodec does not load: {_first_line(error)}") from error
    module: ModuleType = PyNvVideoCodec
    return module


def _require_supported(stream: VideoStream) -> None:
    name, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
    if name not in _CODECS or pixels not in _FORMATS:
        raise UnavailableError(f"NVDEC is used for 8-bit 4:2:0 H.264 and HEVC; this is {name}, {pixels}")


def _side_stream(device: torch.device) -> Any:
    """A CUDA stream of its own, with the device's primary context bound to this thread."""
    torch.cuda.set_device(device)
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _annex_b(
    stream: VideoStream, packets: Iterable[Packet[VideoStream]], *, damage: Damage, health: Health
) -> Iterator[Packet[VideoStream] | None]:
    """Packets with start codes, parameter sets before every keyframe, and None at the end."""
    import av

    filters = f"{stream.codec_context.name}_mp4toannexb,dump_extra=freq=keyframe"
    chain = av.BitStreamFilterContext(filters, stream)
    for packet in packets:
        pts, keyframe, broken = packet.pts, packet.is_keyframe, packet.is_corrupt  # filtering empties it
        health.corrupt += broken
        try:
            filtered = chain.filter(packet) if packet.size else chain.filter(None)
        except av.error.InvalidDataError:
            filtered, broken = [], True
            health.errors += 1
        damage.follow(pts, keyframe=keyframe, broken=broken)
        yield from filtered
    yield None


def _decode(
    codec: ModuleType, decoder: Any, packet: Packet[VideoStream] | None, *, side: Any
) -> list[tuple[int, Tensor]]:
    """The pictures that a packet completes (None: all that are left), copied out of the decoder's pool.

    The next call overwrites the pool, on the same stream as the copies, hence after them.
    """
    data = codec.PacketData()  # empty: end of stream
    if packet is not None:
        data.bsl, data.bsl_data = packet.size, packet.buffer_ptr
        data.pts = _NO_TIME if packet.pts is None else packet.pts
    with side:
        surfaces = [(frame.getPTS(), torch.utils.dlpack.from_dlpack(frame)) for frame in decoder.Decode(data)]
        copies = [(pts, nv12[: len(nv12) * 2 // 3].clone()) for pts, nv12 in surfaces]
    side.synchronize()
    return copies


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
