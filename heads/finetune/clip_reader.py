"""Decoding of training clips: many clips are cut out of one pass through each video."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from threading import Lock

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from bas import console
from bas.config import Pipeline
from bas.config.base import Decoder
from bas.extract.decode.frames import DecodeStats, Frame, read_frames
from bas.extract.encode.stacks import canvas_of
from bas.heads.finetune.clip_sampler import BatchSlot, ClipShape, ClipSource, PlannedClip
from bas.heads.training.sampling import jitter_steps
from bas.messages import counted


@dataclass(frozen=True, slots=True)
class Clip:
    """A decoded clip."""

    planned: PlannedClip
    luma: UInt8[Tensor, "frames height width"]
    valid: Bool[np.ndarray, "frames"]
    """False where the picture of a frame is missing or damaged."""


@dataclass(slots=True)
class DecodeUsage:
    """Count of the decoded pictures, and of those that clips use."""

    decoded: int = 0
    """Number of decoded pictures."""
    used: int = 0
    """Number of frames inside at least one clip; a frame that several clips share counts once."""

    @property
    def fraction(self) -> float:
        """Fraction of the decoded pictures that lie inside a clip."""
        return self.used / max(1, self.decoded)


class ClipReader:
    """Decodes clips of training videos; several threads may each read one batch slot, with a decoder of its own."""

    def __init__(
        self,
        sources: Sequence[ClipSource],
        shape: ClipShape,
        settings: Pipeline,
        *,
        decoder: Decoder,
        device: torch.device,
    ) -> None:
        self._sources = sources
        self._offsets = shape.offsets
        self._canvas = canvas_of(settings.extract)
        self._jitter = settings.finetune.augment.jitter
        self._decoder: Decoder = decoder
        self._device = device
        self.usage = DecodeUsage()
        self._warned: set[int] = set()
        self._lock = Lock()  # of `usage` and `_warned`, which all reading threads share

    def read_slot(self, slot: BatchSlot, *, start: int = 0) -> Generator[Clip, None, None]:
        """Yield the clips of a batch slot in training order, one for each step from `start` on."""
        order = slot.order[start:].tolist()
        # Decode in the order of the videos and hold a clip back until its step comes: the shuffle
        # buffer bounds how many clips wait. A resumed epoch skips the clips of the steps before.
        decoding = sorted(order)
        waiting: dict[int, Clip] = {}
        with closing(self.read(slot.clips[i] for i in decoding)) as clips:
            numbered = zip(decoding, clips, strict=True)
            for wanted in order:
                while wanted not in waiting:
                    number, clip = next(numbered)
                    waiting[number] = clip
                yield waiting.pop(wanted)

    def read(self, clips: Iterable[PlannedClip]) -> Generator[Clip, None, None]:
        """Decode clips, which come in the order of their videos; one read serves those that lie close together."""
        for number, of_video in groupby(clips, lambda clip: clip.source):
            for group in _group_reads(list(of_video), self._sources[number], self._offsets):
                yield from self._read_group(group, number)

    def _read_group(self, clips: Sequence[PlannedClip], number: int) -> Generator[Clip, None, None]:
        source = self._sources[number]
        timeline = source.timeline
        coming = deque(self._pending(clip, source) for clip in clips)
        active: deque[_PendingClip] = deque()
        stats, used = DecodeStats(), 0
        frames = read_frames(
            timeline.times,
            timeline.clock_frames,
            start=min(int(clip.frames.min()) for clip in coming),
            stop=max(int(clip.frames.max()) for clip in coming) + 1,
            decoder=self._decoder,
            device=self._device,
            stats=stats,
        )
        with closing(frames), ExitStack() as at_end:
            # Runs also where the consumer stops early; the lambda reads `used` as it is by then.
            at_end.callback(lambda: self._record(number, stats, used))
            for frame in frames:
                while coming and coming[0].first <= frame.number:
                    active.append(coming.popleft())
                used += bool(active)
                self._copy(frame, active)
                while active and active[0].last <= frame.number:
                    clip = active.popleft()
                    assert clip.luma is not None
                    yield Clip(clip.planned, clip.luma, clip.valid)

    def _record(self, number: int, stats: DecodeStats, used: int) -> None:
        """Add the counts of one read, and warn of missing or damaged pictures once per video."""
        with self._lock:
            self.usage.decoded += stats.pictures
            self.usage.used += used
            warn = stats.missing_or_damaged > 0 and number not in self._warned
            if warn:
                self._warned.add(number)
        if warn:
            console.warn(
                f"{self._sources[number].video.path}: {counted(stats.missing_or_damaged, 'picture')} of "
                "one read missing "
                "or damaged. Training skips the rows that contain them. For details: bas doctor."
            )

    def _pending(self, planned: PlannedClip, source: ClipSource) -> _PendingClip:
        timeline = source.timeline
        frames = planned.first_row * timeline.rows.hop + self._offsets
        generator = np.random.default_rng([*planned.seed, 0])
        shifts = jitter_steps((len(frames),), generator) * int(generator.random() < self._jitter.p)
        # Beyond an end of the video its first or last frame repeats.
        return _PendingClip(planned, (frames + shifts).clip(0, len(timeline.clock_frames) - 1))

    def _copy(self, frame: Frame, clips: Iterable[_PendingClip]) -> None:
        """Copy a picture to every place in the clips that shows this frame."""
        picture: Tensor | None = None
        for clip in clips:
            places = np.flatnonzero(clip.frames == frame.number)
            if not len(places):
                continue
            if picture is None:
                picture = self._canvas.fit(torch.as_tensor(frame.luma, device=self._device))
            if clip.luma is None:
                clip.luma = picture.new_empty(len(clip.frames), *picture.shape)
            clip.luma[places] = picture
            clip.valid[places] = frame.is_valid


class _PendingClip:
    """A clip that is being filled with pictures."""

    def __init__(self, planned: PlannedClip, frames: Int64[np.ndarray, "frames"]) -> None:
        self.planned, self.frames = planned, frames
        # Jitter moves each frame by at most one, so they are no longer sorted, but none lies more than
        # 2 before `frames[0]`.
        self.first, self.last = int(frames[0]) - 2, int(frames.max())
        self.luma: Tensor | None = None
        self.valid = np.zeros(len(frames), bool)


def _group_reads(
    clips: Sequence[PlannedClip], source: ClipSource, offsets: Int64[np.ndarray, "frames"]
) -> Iterator[list[PlannedClip]]:
    """Group clips of one video into reads: a read goes on across a gap where a new one would decode as much in vain."""
    hop, keyframes = source.timeline.rows.hop, source.keyframes
    group: list[PlannedClip] = []
    for clip in clips:
        first = clip.first_row * hop + int(offsets[0])
        if group:
            gap = first - (group[-1].first_row * hop + int(offsets[-1]))
            # A new read seeks to a keyframe before its first frame. Count from the one before that,
            # for a read may begin a keyframe earlier than it needs.
            entry = max(0, int(np.searchsorted(keyframes, first, "right")) - 2)
            wasted = first - (int(keyframes[entry]) if len(keyframes) else 0)
            # The rotated order of an epoch may wrap around inside one video: its rows then start over.
            if gap > wasted or clip.first_row < group[-1].first_row:
                yield group
                group = []
        group.append(clip)
    if group:
        yield group
