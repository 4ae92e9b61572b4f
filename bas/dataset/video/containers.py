"""Safe opening of untrusted video files, with errors that describe what a file is if it is not a video."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bas.dataset.video.formats import FORMATS, conversion, reordering
from bas.errors import DataError, MissingError
from bas.files import open_regular, reopens
from bas.messages import not_existing

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer

_MAX_PIXELS = 4096 * 2304
_MOST_ERRORS = 100  # in a row; a file with more is not a damaged video, but no video at all
_SKIPPED_BYTES = 1 << 16  # by an unsuccessful read of a transport stream in search of its next packet
_HEAD_BYTES = 512
_ZERO_BLOCK = 1 << 20
_FEWEST_ZEROS = 4096

_BOXES = frozenset(
    b"ftyp styp moov moof mdat free skip wide sidx ssix mfra uuid pdin meta meco emsg prft udta pnot".split()
)
"""Types of top-level boxes of MP4 and QuickTime files."""

_SIGNATURES = (
    (b"version https://git-lfs", "a git-LFS pointer, not the video itself: run `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"ffconcat", "a playlist that names other files: pass the video itself"),
    (b"#EXTM3U", "a playlist that names other files: pass the video itself"),
    (b"\x1a\x45\xdf\xa3", "a Matroska file too damaged to open: copy or download it again"),
)


@contextmanager
def open_video(path: Path) -> Iterator[VideoStream]:
    """Open the main video stream of a local file, and close it at the end of the block.

    The main stream is the largest one that is not a cover picture. Metadata may be in any encoding. The
    file cannot make FFmpeg open other files or URLs, and pictures larger than 4096 x 2304 are refused
    before any is decoded, also where they grow in the middle of the stream.

    Raises:
        MissingError: `path` does not exist.
        DataError: it is not a video; the message describes what it is.
    """
    import av

    if not path.is_file():
        raise MissingError(f"{path} is a folder, not a video." if path.is_dir() else not_existing(path))
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": FORMATS,
        "max_pixels": str(_MAX_PIXELS),
        # Pictures that move to another PID in the middle of a transport stream stay one video stream.
        "merge_pmt_versions": "1",
    }
    try:
        # FFmpeg takes text before a colon for a protocol, but not in an absolute path.
        container = reopens(
            lambda: av.open(str(path.absolute()), metadata_errors="ignore", options=options)
        )()
    except PermissionError as error:
        raise MissingError(f"Cannot read {path}: {error.strerror}.") from error
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise DataError(f"{path} is {_description(path)}.") from error
    with container:
        stream = _main_stream(path, list(container.streams.video))
        if container.format.name == "asf" and stream.codec_context.has_b_frames:
            raise DataError(reordering(path))
        # The container's options end at its own probing, so the decoder needs the limit, too.
        stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
        yield stream


def container_of(stream: VideoStream) -> InputContainer:
    """The open container of a stream."""
    from av.container import InputContainer

    assert isinstance(stream.container, InputContainer)
    return stream.container


def packets(stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """All readable packets of a stream, skipping damage, and the empty packet that marks the end.

    Raises:
        DataError: the rest of the file cannot be read.
    """
    import av

    container, errors = container_of(stream), 0
    # Zeros inside or behind a transport stream take many reads (EAGAIN) and are not its end.
    most_skips = _MOST_ERRORS + container.size // _SKIPPED_BYTES
    while True:
        try:
            for packet in container.demux(stream):
                errors = 0
                yield packet
            return
        except IndexError:
            return  # PyAV's, after the last packet, if a program began in the middle of the file
        except av.error.FFmpegError as error:
            errors += 1
            skips = isinstance(error, av.error.BlockingIOError)
            known = skips or isinstance(error, av.error.InvalidDataError)
            if not known or errors >= (most_skips if skips else _MOST_ERRORS):
                raise DataError(
                    f"Cannot read {container.name} to its end: {error}. Copy or download it again."
                ) from error


def missing_bytes(path: Path) -> int | None:
    """Number of declared bytes that are missing at the end of the file, 0 for a complete one; None if none are declared.

    The length of an MP4 file is the sum of its boxes (ISO/IEC 14496-12), that of a Matroska file is in
    the header of its segment (RFC 9559). Transport streams and files written as live streams declare no
    length.
    """
    size = path.stat().st_size
    with open_regular(path) as file:
        head = file.read(12)
        declared = None
        if head.startswith(b"\x1a\x45\xdf\xa3"):
            declared = _matroska_bytes(file)
        elif head[4:8] in _BOXES:
            declared = max((stop for _, stop in _boxes(file, size)), default=size)
    return None if declared is None else max(0, declared - size)


def zero_bytes(path: Path) -> int:
    """Number of zero bytes at the end of the file, as a download or a recorder leaves that reserves its space first.

    0 for a few zeros, which any file may end with.
    """
    size = end = path.stat().st_size
    with open_regular(path) as file:
        while end:
            start = max(0, end - _ZERO_BLOCK)
            file.seek(start)
            if content := file.read(end - start).rstrip(b"\0"):
                zeros = size - start - len(content)
                return zeros if zeros >= _FEWEST_ZEROS else 0
            end = start
    return size


def _main_stream(path: Path, streams: list[VideoStream]) -> VideoStream:
    from av.stream import Disposition

    moving = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    if not moving:
        raise DataError(f"{path} has no video stream, only audio or a cover picture. Pass the video itself.")
    moving = [stream for stream in moving if stream.codec_context is not None]
    if not moving:
        raise DataError(f"{path} has an unknown codec. Copy it again, or convert it to H.264.")
    stream = max(moving, key=lambda one: (one.width * one.height, -one.index))
    pixels = stream.width * stream.height
    if not 0 < pixels <= _MAX_PIXELS:
        raise DataError(
            f"{path} declares pictures of {stream.width} x {stream.height}. Expected at most 4096 x 2304. "
            "Scale it down, or copy it again if that is not its true size."
        )
    return stream


def _description(path: Path) -> str:
    size = path.stat().st_size
    if size == 0:
        return "empty (0 bytes): download it again"
    with open_regular(path) as file:
        head = file.read(_HEAD_BYTES)
        for signature, meaning in _SIGNATURES:
            if head.startswith(signature):
                return meaning
        if text := conversion(path, head):
            return text
        if head[4:8] == b"ftyp":
            return _mp4_description(file, size)
    text = head.decode("utf-8", "ignore").strip()
    if text[:15].lower().startswith(("<!doctype", "<html", "<?xml")):
        return "a web page, not a video: the download needs a login, or its address was wrong"
    if len(text.encode()) > 0.9 * len(head.strip()) and all(c.isprintable() or c.isspace() for c in text):
        return f"a text file, not a video; it begins with {text[:40]!r}"
    return f"not a video that bas can read ({size:,} bytes): copy or download it again"


def _mp4_description(file: BinaryIO, size: int) -> str:
    boxes = list(_boxes(file, size))
    if any(kind == b"moov" and stop <= size for kind, stop in boxes):
        return "an MP4 file too damaged to open: copy or download it again"
    declared = max(stop for _, stop in boxes)
    of = f"at least {declared:,}" if declared > size else "an unknown number of"
    return (
        "an MP4 file whose index (moov) is missing, as after an unfinished download or recording; "
        f"{size:,} of {of} bytes are there: download it again"
    )


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Type and end of each top-level box of an MP4 file; the last may end beyond `size`."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        head = file.read(16)
        # A box begins with its length in 32 bits: 1 means 64 bits after the type, 0 the rest of the file.
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        elif length == 0:
            length = size - start
        # Messengers append bytes of their own: what follows the last box declares nothing.
        if length < 8 or head[4:8] not in _BOXES:
            return
        start += length
        yield head[4:8], start


def _matroska_bytes(file: BinaryIO) -> int | None:
    """Declared end of the segment of a Matroska file; None if none is declared."""
    # After the EBML identifier of 4 bytes: length and header, then identifier and length of the segment.
    file.seek(4)
    header_bytes = _variable_length(file)
    if header_bytes is None:
        return None
    file.seek(header_bytes, os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return None
    segment_bytes = _variable_length(file)
    return None if segment_bytes is None else file.tell() + segment_bytes


def _variable_length(file: BinaryIO) -> int | None:
    """Read a Matroska length, in which the leading zero bits of the first byte count the bytes that follow."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    # 0b001xxxxx: two zeros, so two more bytes. The marker bit is no part of the value and is cleared.
    following = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] ^ 1 << 7 - following]) + file.read(following))
    unknown = (1 << 7 * (following + 1)) - 1  # all value bits set, as live streams write it
    return None if value == unknown else value
