"""Container formats whose presentation times can be trusted, and the conversion of those whose times cannot."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote

VIDEO_SUFFIXES = frozenset(
    {".mkv", ".mp4", ".m4v", ".mov", ".webm", ".ts", ".m2ts", ".mts", ".3gp", ".flv", ".mxf", ".wmv", ".asf"}
)
"""File suffixes of containers that are read."""

UNTIMED_SUFFIXES = frozenset(
    {".avi", ".ogv", ".mpg", ".mpeg", ".vob", ".m2v", ".h264", ".264", ".h265", ".265", ".hevc"}
)
"""File suffixes of video that is found, and refused with the command that converts it."""

FORMATS = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,flv,mxf,asf"
"""FFmpeg's names of the containers that are read; no playlist is among them."""

_UNTIMED = (
    (rb"RIFF", "an AVI file, which has no presentation times"),
    (rb"OggS", "an Ogg file, which times only the last picture of a page"),
    (rb"\x00\x00\x01\xba", "an MPEG program stream, which times only some of its pictures"),
    (rb"\x00{2,3}\x01\xb3", "raw MPEG video, which has no presentation times"),
)
# The first unit of a raw stream: access unit delimiter, parameter set or SEI of H.264; the same of HEVC.
_RAW = re.compile(rb"\x00{2,3}\x01(?:[\x09\x06\x27\x47\x67]|[\x40\x46]\x01)")


def conversion(path: Path, head: bytes) -> str:
    """What an untimed video is, and the command that converts it; empty for a file of another kind.

    Args:
        path: the file.
        head: its first bytes.
    """
    target = quote(str(path.with_suffix(".mp4")))
    for signature, meaning in _UNTIMED:
        if re.match(signature, head):
            return f"{meaning}: convert it with `ffmpeg -i {quote(str(path))} {target}`"
    if _RAW.match(head):
        # Not with `-c copy`: where pictures are reordered, the copy would have no times either.
        command = f"`ffmpeg -framerate 25 -i {quote(str(path))} {target}`"
        return (
            f"raw H.264 or HEVC, which has no presentation times: convert it, here at 25 Hz, with {command}"
        )
    return ""


def reordering(path: Path) -> str:
    """What is wrong with a Windows Media file whose pictures are decoded in another order than they are shown."""
    target = quote(str(path.with_suffix(".mp4")))
    return (
        f"{path} times its pictures in the order of decoding, which is not that of showing. Convert it with "
        f"`ffmpeg -i {quote(str(path))} {target}`."
    )
