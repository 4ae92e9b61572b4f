"""Contacts and pictures of one half of a match, computed from its specification alone."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Thread

import numpy as np
from jaxtyping import UInt8

from bas.errors import RunFailedError
from bas.synthetic.rendering.camera import camera_track
from bas.synthetic.rendering.colors import match_kits
from bas.synthetic.rendering.picture import Painter
from bas.synthetic.rendering.stadium import StadiumTexture, paint_stadium
from bas.synthetic.simulation.actions import ProfileName, profile
from bas.synthetic.simulation.play import Half, play_half
from bas.synthetic.simulation.stage import Contact

_METRES_PER_WIDTH = 21

"""Metres of ground covered by as many texels as the picture has columns."""

_MAX_TEXELS_PER_METRE = 36.0


@dataclass(frozen=True, slots=True)
class HalfSpec:
    """All inputs that determine the bytes of one half."""

    seed: int
    match: int
    half: int
    """Half 1 or 2; the teams change sides in between. 0 seeds what both halves share."""
    frames: int
    profile: ProfileName
    width: int
    height: int

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a generator for one purpose, independent of all others and of the calling process."""
        return np.random.default_rng([self.seed, self.match, self.half, *purpose.encode()])


@lru_cache(maxsize=2)
def simulate(spec: HalfSpec) -> Half:
    """Simulate what happens on the pitch."""
    return play_half(profile(spec.profile), frames=spec.frames, rng=spec.rng("play"))


def contacts_of(spec: HalfSpec) -> tuple[Contact, ...]:
    """Return the labelled contacts of a half, in order."""
    return simulate(spec).contacts


def render_pictures(spec: HalfSpec, start: int, stop: int) -> UInt8[np.ndarray, "frames rows columns"]:
    """Render frames [start, stop) as packed yuv420p: the luma rows, then both chroma planes."""
    painter = _painter(spec)
    packed = np.empty((stop - start, spec.height * 3 // 2, spec.width), np.uint8)
    for i, frame in enumerate(range(start, stop)):
        picture = painter.paint(frame)
        packed[i, : spec.height] = picture.luma
        packed[i, spec.height :] = picture.chroma.reshape(-1, spec.width)
    return packed


@lru_cache(maxsize=2)
def _painter(spec: HalfSpec) -> Painter:
    half = simulate(spec)
    home, away, referee = match_kits(replace(spec, half=0).rng("kits"))
    left, right = (home, away) if spec.half == 1 else (away, home)
    return Painter(
        half,
        camera_track(half, rng=spec.rng("camera")),
        (*left, *right, referee),
        _stadium(replace(spec, half=0, frames=0)),
        width=spec.width,
        height=spec.height,
        rng=spec.rng("grain"),
    )


@lru_cache(maxsize=1)
def _stadium(spec: HalfSpec) -> StadiumTexture:
    """Paint the stadium, which is the same in both halves."""
    texels_per_metre = min(spec.width / _METRES_PER_WIDTH, _MAX_TEXELS_PER_METRE)
    return paint_stadium(texels_x=texels_per_metre, rng=spec.rng("ground"))


_CHUNK_BYTES = 8 << 20

_CHUNKS_AHEAD = 2  # per process, so that none waits for the encoder


class Renderer:
    """Renderer that works in this process, or in worker processes if it has an executor."""

    def __init__(self, executor: Executor | None, *, processes: int) -> None:
        self._executor = executor
        self._processes = processes

    def contacts(self, spec: HalfSpec) -> tuple[Contact, ...]:
        """Return the labelled contacts of a half."""
        return (
            contacts_of(spec) if self._executor is None else self._executor.submit(contacts_of, spec).result()
        )

    def pictures(self, spec: HalfSpec) -> Iterator[UInt8[np.ndarray, "rows columns"]]:
        """Yield all pictures of a half as packed yuv420p."""
        step = max(1, min(50, _CHUNK_BYTES // (spec.width * spec.height * 3 // 2)))
        spans = [(start, min(start + step, spec.frames)) for start in range(0, spec.frames, step)]
        if self._executor is None:
            for start, stop in spans:
                yield from render_pictures(spec, start, stop)
            return
        pending: deque[Future[UInt8[np.ndarray, "frames rows columns"]]] = deque()
        for start, stop in spans:
            pending.append(self._executor.submit(render_pictures, spec, start, stop))
            # Limit the chunks in flight: the encoder may be slower than the workers.
            if len(pending) > _CHUNKS_AHEAD * self._processes:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


@contextmanager
def open_renderer(processes: int) -> Iterator[Renderer]:
    """Open a renderer; its processes end with the block."""
    if processes == 1:
        yield Renderer(None, processes=1)
        return
    # Spawn, not fork: the caller may have threads and a CUDA context.
    spawn = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, mp_context=spawn, initializer=_exit_with_parent)
    try:
        yield Renderer(executor, processes=processes)
    except BrokenProcessPool as error:
        raise RunFailedError(
            "A rendering process was killed, possibly because memory ran out. "
            "Free some memory and run the same command again; finished videos are kept."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _exit_with_parent() -> None:
    """Exit this worker as soon as its parent process is gone, even after kill -9."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def exit_after_parent() -> None:
        parent.join()
        os._exit(1)

    Thread(target=exit_after_parent, daemon=True).start()
