"""Decoder choice, NVDEC or CPU, and the CPU's repairs where NVDEC leaves pictures out or fails."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import cache
from itertools import takewhile
from typing import assert_never

import numpy as np
import torch
from jaxtyping import Int64

from bas import console
from bas.config.base import Decoder
from bas.dataset.video.probe import VideoTimes
from bas.errors import UnavailableError
from bas.extract.decode import cpu, nvdec, nvdec_probe
from bas.extract.decode.pictures import DecodeStats, Picture
from bas.extract.decode.seek import SeekPoint, seek_point
from bas.messages import counted

_MAX_REPAIRS = 20  # gaps in one read; a decoder that leaves more is of no use


def choose_decoder(decoder: Decoder, device: torch.device, *, stats: DecodeStats) -> None:
    """Choose a decoder and write it, with the reason, into `stats`.

    Raises:
        UnavailableError: `decoder` is nvdec, and NVDEC cannot be used.
    """
    match decoder:
        case "cpu":
            stats.decoder, stats.reason = "cpu", "requested"
        case "auto" if device.type != "cuda":
            stats.decoder, stats.reason = "cpu", "the encoder runs on the CPU"
        case "auto" | "nvdec":
            problem = _nvdec_problem(device)
            if problem and decoder == "nvdec":
                raise UnavailableError(f"NVDEC is unavailable: {problem}. Fix this, or use --decoder auto.")
            stats.decoder, stats.reason = ("cpu", problem) if problem else ("nvdec", "")
            if problem:
                _print_once(f"decoding on the CPU: {problem}")
        case _:
            assert_never(decoder)


def decode_pictures(
    times: VideoTimes, point: SeekPoint, *, device: torch.device, fall_back: bool, stats: DecodeStats
) -> Generator[Picture, None, None]:
    """Yield the undamaged pictures from a seek point on, in order, with the decoder in `stats`.

    Raises:
        UnavailableError: NVDEC failed, and `fall_back` is false.
    """
    if stats.decoder == "cpu":
        yield from cpu.decode_pictures(times, point, stats=stats)
        return
    last_pts = point.first_shown - 1  # of the pictures yielded so far
    try:
        with closing(_fill_gaps(times, point, device=device, stats=stats)) as complete:
            for picture in complete:
                last_pts = picture.pts
                yield picture
    except UnavailableError as error:
        if not fall_back:
            raise UnavailableError(f"{error}. Use --decoder auto or --decoder cpu.") from error
        _print_once(f"decoding on the CPU from here on: {error}")
        stats.decoder, stats.reason = "cpu", str(error)
    else:
        return
    # The CPU starts at a keyframe again, so it decodes some pictures that NVDEC already delivered.
    with closing(cpu.decode_pictures(times, seek_point(times, last_pts), stats=stats)) as rest:
        yield from (picture for picture in rest if picture.pts > last_pts)


def _nvdec_problem(device: torch.device) -> str:
    if device.type != "cuda":
        return f"it needs a CUDA device, and this run computes on {device.type}"
    if problem := nvdec_probe.unavailable_reason(device.index or 0):
        return problem
    try:
        nvdec.load()
    except UnavailableError as error:
        return str(error)
    return ""


@cache
def _print_once(text: str) -> None:
    console.info(text)


def _fill_gaps(
    times: VideoTimes, point: SeekPoint, *, device: torch.device, stats: DecodeStats
) -> Generator[Picture, None, None]:
    """Yield NVDEC's pictures, with those that it left out decoded on the CPU.

    NVDEC drops pictures at damaged and spliced places, and some of its versions the first or the last.
    """
    # The packets give the time of every picture: whatever lies between two deliveries was left out.
    expected = times.pts[times.pts >= point.first_shown]
    before = stats.pictures
    position = repairs = 0  # `expected[:position]` has been yielded
    with closing(nvdec.decode_pictures(times, point, device=device, stats=stats)) as delivered:
        for picture in delivered:
            found = int(np.searchsorted(expected, picture.pts))
            if found < position or found == len(expected) or expected[found] != picture.pts:
                continue  # a repeated picture, or one that an edit list hides
            if found > position:
                repairs += 1
                if repairs > _MAX_REPAIRS:
                    raise UnavailableError(
                        f"NVDEC left out pictures in {counted(repairs, 'place')} of {times.path}"
                    )
                yield from _redecode(times, expected[position:found], stats=stats)
            yield picture
            position = found + 1
    # Without this, the CPU would silently do all the work of an engine that delivers nothing.
    if stats.pictures == before:
        raise UnavailableError(f"NVDEC delivered no picture of {times.path}")
    if position < len(expected):
        yield from _redecode(times, expected[position:], stats=stats)


def _redecode(
    times: VideoTimes, missing: Int64[np.ndarray, "pictures"], *, stats: DecodeStats
) -> Generator[Picture, None, None]:
    """Decode a gap on the CPU; damaged pictures stay out there too."""
    first, last = int(missing[0]), int(missing[-1])
    with closing(cpu.decode_pictures(times, seek_point(times, first), stats=stats)) as decoded:
        for picture in takewhile(lambda one: one.pts <= last, decoded):
            if picture.pts >= first:
                stats.redecoded += 1
                yield picture
