"""Containers whose times can be trusted are read; the others are refused with the command that converts them."""

from __future__ import annotations

import re
import shlex
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support import media
from support.matches import touch

from bas.clock import place_on_clock
from bas.dataset import examine, open_dataset, probe
from bas.errors import DataError
from bas.extract.decode.frames import DecodeStats, read_frames

PICTURES = 60


def write(path: Path, muxer: str, codec: str, *, b_frames: int, size: tuple[int, int] = (128, 96)) -> Path:
    """Write a video that shows its picture numbers."""
    unit = Fraction(1, 25)
    with av.open(str(path), "w", format=muxer) as output:
        stream = media.add_video_stream(output, rate=1 / unit, unit=unit, size=size, codec=codec)
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 12, b_frames
        if codec == "libx264":
            stream.codec_context.options = {"preset": "ultrafast", "bf": str(b_frames)}
        else:
            stream.bit_rate = 4_000_000
        for i in range(PICTURES):
            frame = av.VideoFrame.from_ndarray(media.picture(i, size=size), format="yuv420p")
            frame.pts, frame.time_base = i, unit
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def numbers(path: Path, start: int) -> list[int | None]:
    times = probe(path)
    clock = place_on_clock(times.pts, times.time_base, origin=times.start_pts, rate=Fraction(25))
    frames = read_frames(
        times, clock, start=start, stop=len(clock), decoder="cpu", device="cpu", stats=DecodeStats()
    )
    return [media.number_of(np.asarray(frame.luma)) if frame.is_valid else None for frame in frames]


@pytest.mark.parametrize(
    ("name", "muxer", "codec", "b_frames", "size"),
    [
        ("v.flv", "flv", "libx264", 2, (128, 96)),
        ("v.mxf", "mxf", "mpeg2video", 2, (720, 576)),
        ("v.wmv", "asf", "wmv2", 0, (128, 96)),
        ("v.m2ts", "mpegts", "libx264", 2, (128, 96)),
        ("v.mp4", "mp4", "mpeg4", 2, (128, 96)),
    ],
)
def test_a_container_with_times_is_read_from_any_picture_on(
    tmp_path: Path, name: str, muxer: str, codec: str, b_frames: int, size: tuple[int, int]
) -> None:
    path = write(tmp_path / name, muxer, codec, b_frames=b_frames, size=size)
    assert probe(path).problems == ()
    assert numbers(path, 0) == list(range(PICTURES))
    assert numbers(path, 40) == list(range(40, PICTURES))


@pytest.mark.parametrize(
    ("name", "muxer", "codec", "what"),
    [
        ("my match.avi", "avi", "mpeg4", "an AVI file"),
        ("v.mpg", "mpeg", "mpeg2video", "an MPEG program stream"),
        ("v.vob", "vob", "mpeg2video", "an MPEG program stream"),
        ("v.h264", "h264", "libx264", "raw H.264"),
        ("v.hevc", "hevc", "libx265", "raw H.264 or HEVC"),
        ("v.m2v", "mpeg2video", "mpeg2video", "raw MPEG video"),
        ("v.ogv", "ogg", "libvpx", "an Ogg file"),
        ("v.wmv", "asf", "libx264", "in the order of decoding"),
    ],
)
def test_video_without_true_times_is_refused_with_the_command_that_converts_it(
    tmp_path: Path, name: str, muxer: str, codec: str, what: str
) -> None:
    path = write(tmp_path / name, muxer, codec, b_frames=2 if codec != "libvpx" else 0)
    with pytest.raises(DataError, match=what) as error:
        probe(path)
    command = re.search(r"`(ffmpeg .*)`", str(error.value))
    assert command is not None
    words = shlex.split(command[1])
    assert words[words.index("-i") + 1] == str(path)
    assert words[-1] == str(path.with_suffix(".mp4"))
    (finding,) = (one for one in examine(tmp_path).findings if one.severity == "error")
    assert what in finding.message


def test_a_video_that_has_been_converted_stands_for_its_original(tmp_path: Path) -> None:
    touch(tmp_path, "derby.avi", "derby.mp4", "final.avi")
    paths = [video.path.name for game in open_dataset(tmp_path).games for video in game.videos]
    assert paths == ["derby.mp4", "final.avi"]
