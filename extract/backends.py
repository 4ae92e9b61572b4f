"""Which decoder reads a video, and who steps in where NVDEC does not deliver."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import cache
from itertools import takewhile
from typing import Literal, assert_never

import numpy as np
import torch
from jaxtyping import Int64

from bas import console
from bas.dataset.times import VideoTimes
from bas.errors import UnavailableError
from bas.extract import cpu, nvdec, nvdec_probe
from bas.extract.pictures import Health, Picture
from bas.extract.seek import Entry, entry

Decoder = Literal["auto", "nvdec", "cpu"]

_MOST_REPAIRS = 20  # stretches in one read; a decoder that loses more is of no use


def choose(decoder: Decoder, device: torch.device, *, health: Health) -> None:
    """Settle on a decoder and write it, with the reason, into `health`.

    Raises:
        UnavailableError: nvdec was asked for and cannot be had.
    """
    match decoder:
        case "cpu":
            health.decoder, health.reason = "cpu", "asked for"
        case "auto" if device.type != "cuda":
            health.decoder, health.reason = "cpu", "the encoder runs on the CPU"
        case "auto" | "nvdec":
            obstacle = _obstacle(device)
            if obstacle and decoder == "nvdec":
                raise UnavailableError(
                    f"NVDEC cannot be used: {obstacle}. Mend that, or take --decoder auto."
                )
            health.decoder, health.reason = ("cpu", obstacle) if obstacle else ("nvdec", "")
            if obstacle:
                _say_once(f"decoding on the CPU: {obstacle}")
        case _:
            assert_never(decoder)


def pictures(
    times: VideoTimes, place: Entry, *, device: torch.device, fall_back: bool, health: Health
) -> Generator[Picture, None, None]:
    """The sound pictures from an entry on, in order, by the decoder that was chosen.

    Raises:
        UnavailableError: NVDEC failed, and `fall_back` is false.
    """
    if health.decoder == "cpu":
        yield from cpu.pictures(times, place, health=health)
        return
    done = place.show_from - 1  # time of the last picture that was handed out
    try:
        with closing(_repaired(times, place, device=device, health=health)) as repaired:
            for picture in repaired:
                done = picture.pts
                yield picture
    except UnavailableError as error:
        if not fall_back:
            raise UnavailableError(f"{error}. Take --decoder auto or --decoder cpu.") from error
        _say_once(f"decoding on the CPU from here on: {error}")
        health.decoder, health.reason = "cpu", str(error)
    else:
        return
    with closing(cpu.pictures(times, entry(times, done), health=health)) as rest:
        yield from (picture for picture in rest if picture.pts > done)


def _obstacle(device: torch.device) -> str:
    if device.type != "cuda":
        return f"it hands pictures to a CUDA device, and this run computes on {device.type}"
    if obstacle := nvdec_probe.obstacle(device.index or 0):
        return obstacle
    try:
        nvdec.load()
    except UnavailableError as error:
        return str(error)
    return ""


@cache
def _say_once(text: str) -> None:
    console.say(text)


def _repaired(
    times: VideoTimes, place: Entry, *, device: torch.device, health: Health
) -> Generator[Picture, None, None]:
    """NVDEC's pictures, with those that it left out decoded on the CPU.

    NVDEC drops pictures at damaged and spliced places, and some of its versions the first or the last.
    """
    expected = times.pts[times.pts >= place.show_from]
    before = health.pictures
    position = repairs = 0
    with closing(nvdec.pictures(times, place, device=device, health=health)) as delivered:
        for picture in delivered:
            found = int(np.searchsorted(expected, picture.pts))
            if found < position or found == len(expected) or expected[found] != picture.pts:
                continue  # one that was there before, or that an edit list hides
            if found > position:
                repairs += 1
                if repairs > _MOST_REPAIRS:
                    raise UnavailableError(f"NVDEC left out pictures in {repairs} places of {times.path}")
                yield from _by_cpu(times, expected[position:found], health=health)
            yield picture
            position = found + 1
    if health.pictures == before:
        raise UnavailableError(f"NVDEC gave no picture of {times.path}")
    if position < len(expected):
        yield from _by_cpu(times, expected[position:], health=health)


def _by_cpu(
    times: VideoTimes, lost: Int64[np.ndarray, "pictures"], *, health: Health
) -> Generator[Picture, None, None]:
    first, last = int(lost[0]), int(lost[-1])
    with closing(cpu.pictures(times, entry(times, first), health=health)) as decoded:
        for picture in takewhile(lambda one: one.pts <= last, decoded):
            if picture.pts >= first:
                health.repaired += 1
                yield picture
