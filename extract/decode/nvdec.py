"""GPU decoding with PyNvVideoCodec's low-level decoder, fed with the same packets as the CPU decoder.

PyNvVideoCodec's own demuxer is not used: it opens playlists and URLs, picks a stream by itself, and
its seeking is unreliable. With one reader for both decoders, a picture has the same time in both.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bas.dataset.video.display import Orientation
from bas.dataset.video.probe import VideoTimes
from bas.errors import UnavailableError, is_out_of_memory
from bas.extract.decode.pictures import CorruptionTracker, DecodeStats, Picture, turned
from bas.extract.decode.seek import SeekPoint, open_at

if TYPE_CHECKING:
    from av import Packet, VideoStream

_CODECS = {"h264": "H264", "hevc": "HEVC"}
_FORMATS = ("yuv420p", "yuvj420p")
_NO_TIME = -(1 << 63)  # FFmpeg's AV_NOPTS_VALUE; earlier than every picture that is shown


def decode_pictures(
    times: VideoTimes, point: SeekPoint, *, device: torch.device, stats: DecodeStats
) -> Generator[Picture, None, None]:
    """Yield the pictures that NVDEC delivers from a seek point on, in presentation order.

    NVDEC conceals damage silently: only pictures of packets known to be broken are left out here,
    and pictures may be missing anywhere. Each call has its own decoder and its own CUDA stream,
    so several may run at once; the GPU has finished every picture that is yielded.

    Raises:
        UnavailableError: NVDEC cannot decode this video, or failed on the way.
    """
    import av

    codec = load()
    with open_at(times, point.decode_from) as (stream, packets):
        _require_supported(stream)
        corruption = CorruptionTracker()
        try:
            side = _side_stream(device)
            decoder = codec.CreateDecoder(
                gpuid=device.index,
                codec=getattr(codec.cudaVideoCodec, _CODECS[stream.codec_context.name]),
                cudacontext=0,
                cudastream=side.cuda_stream,
                usedevicememory=True,
            )
            for packet in _annex_b(stream, packets, corruption=corruption, stats=stats):
                for pts, luma in _decode(codec, decoder, packet, side=side, orientation=times.orientation):
                    if pts < point.first_shown:
                        continue
                    stats.pictures += 1
                    if pts in corruption:
                        stats.damaged += 1
                    else:
                        yield Picture(pts, luma)
        except (
            RuntimeError,
            av.error.FFmpegError,  # from the bitstream filter, if the parameter sets are damaged
            codec.PyNvVCException,
            codec.PyNvVCExceptionUnsupported,
        ) as error:
            if is_out_of_memory(error):
                raise
            raise UnavailableError(f"NVDEC failed on {times.path}: {_first_line(error)}") from error


def load() -> ModuleType:
    """Import PyNvVideoCodec; call it only if `nvdec_probe.unavailable_reason` is empty.

    Raises:
        UnavailableError: it is not installed, or does not fit the driver.
    """
    try:
        import PyNvVideoCodec
    except (ImportError, RuntimeError) as error:  # RuntimeError: a driver library is missing
        raise UnavailableError(f"PyNvVideoCodec cannot be imported: {_first_line(error)}") from error
    module: ModuleType = PyNvVideoCodec
    return module


def _require_supported(stream: VideoStream) -> None:
    name, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
    if name not in _CODECS or pixels not in _FORMATS:
        raise UnavailableError(f"NVDEC is used for 8-bit 4:2:0 H.264 and HEVC; this is {name}, {pixels}")


def _side_stream(device: torch.device) -> Any:
    """Create a CUDA stream, with the device's primary context bound to this thread."""
    torch.cuda.set_device(device)
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _annex_b(
    stream: VideoStream,
    packets: Iterable[Packet[VideoStream]],
    *,
    corruption: CorruptionTracker,
    stats: DecodeStats,
) -> Iterator[Packet[VideoStream] | None]:
    """Yield packets with start codes and parameter sets before every keyframe, and None at the end."""
    import av

    filters = f"{stream.codec_context.name}_mp4toannexb,dump_extra=freq=keyframe"
    chain = av.BitStreamFilterContext(filters, stream)
    for packet in packets:
        pts, keyframe, broken = packet.pts, packet.is_keyframe, packet.is_corrupt  # filtering empties it
        stats.corrupt += broken
        ends = packet.size == 0
        try:
            filtered = chain.filter(None if ends else packet)
        except av.error.InvalidDataError:
            filtered, broken = [], True
            stats.errors += 1
        corruption.update(pts, keyframe=keyframe, broken=broken)
        yield from filtered
        if ends:
            chain = av.BitStreamFilterContext(filters, stream)  # another recording may follow
    yield None


def _decode(
    codec: ModuleType,
    decoder: Any,
    packet: Packet[VideoStream] | None,
    *,
    side: Any,
    orientation: Orientation,
) -> list[tuple[int, Tensor]]:
    """Return the pictures that a packet completes (None: all remaining), turned, and copied out of the decoder's pool.

    The next call overwrites the pool, on the same stream as the copies, hence after them.
    """
    data = codec.PacketData()  # empty: end of stream
    if packet is not None:
        data.bsl, data.bsl_data = packet.size, packet.buffer_ptr
        data.pts = _NO_TIME if packet.pts is None else packet.pts
    with side:
        surfaces = [(frame.getPTS(), torch.utils.dlpack.from_dlpack(frame)) for frame in decoder.Decode(data)]
        # NV12 stacks the luma plane on half as many rows of chroma: the first two thirds are luma.
        copies = [(pts, turned(nv12[: len(nv12) * 2 // 3].clone(), orientation)) for pts, nv12 in surfaces]
    # The consumer reads on another stream, in another thread, and knows nothing of this one.
    side.synchronize()
    return copies


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
