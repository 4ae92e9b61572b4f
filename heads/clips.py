"""Clips of pictures, cut out of one pass through each video."""

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
from bas.config import Chance, Pipeline
from bas.extract.decode import Decoder, Frame, Health, read_frames
from bas.extract.stacks import canvas_of
from bas.heads.clip_plan import ClipShape, Footage, Lane, PlannedClip

JITTER_MOVES, JITTER_SHARES = (-1, 0, 1), (0.2, 0.6, 0.2)
"""Of what jitters by one (lRomul, ball-action-spotting, 2023)."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The pictures of a clip, each once, and which three make each row."""

    ticks: Int64[np.ndarray, "slots"]
    """Relative to the tick of the clip's first row."""
    stacks: Int64[np.ndarray, "rows 3"]
    """Slots of each row's stack."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip as it was decoded."""

    planned: PlannedClip
    luma: UInt8[Tensor, "slots height width"]
    sound: Bool[np.ndarray, "slots"]
    """Whether a picture is there, and whole."""


@dataclass(slots=True)
class Usage:
    """How much of what is decoded is used."""

    decoded: int = 0
    """Pictures."""
    inside: int = 0
    """Of these, those that lie in a clip; several clips may share one."""

    @property
    def share(self) -> float:
        """Of what was decoded, what lies in a clip."""
        return self.inside / max(1, self.decoded)


def slots_of(shape: ClipShape, settings: Pipeline) -> Slots:
    """The pictures that `shape.rows` rows are made of."""
    extract = settings.extract
    ticks = np.arange(shape.rows)[:, None] * extract.hop + np.array(extract.stack)
    distinct, stacks = np.unique(ticks, return_inverse=True)
    return Slots(distinct, stacks.reshape(ticks.shape))


class ClipReader:
    """Reads clips of training videos; several lanes may be read at once, each by a decoder of its own."""

    def __init__(
        self,
        footage: Sequence[Footage],
        shape: ClipShape,
        settings: Pipeline,
        *,
        decoder: Decoder,
        device: torch.device,
    ) -> None:
        self._footage = footage
        self._slots = slots_of(shape, settings)
        self._canvas = canvas_of(settings.extract)
        self._jitter = settings.finetune.augment.jitter
        self._decoder: Decoder = decoder
        self._device = device
        self.usage = Usage()
        self._told: set[int] = set()
        self._counting = Lock()

    def lane(self, lane: Lane, *, start: int = 0) -> Generator[Clip, None, None]:
        """The clips of a lane, one a step from step `start` on."""
        wanted = lane.order[start:].tolist()
        reading = sorted(wanted)
        held: dict[int, Clip] = {}
        with closing(self.read(lane.clips[i] for i in reading)) as source:
            coming = zip(reading, source, strict=True)
            for place in wanted:
                while place not in held:
                    number, clip = next(coming)
                    held[number] = clip
                yield held.pop(place)

    def read(self, clips: Iterable[PlannedClip]) -> Generator[Clip, None, None]:
        """Clips in the order of their videos; those that lie close together are cut out of one read."""
        for number, of_video in groupby(clips, lambda clip: clip.footage):
            for near in _reads(list(of_video), self._footage[number], self._slots):
                yield from self._one_read(near, number)

    def _one_read(self, clips: Sequence[PlannedClip], number: int) -> Generator[Clip, None, None]:
        footage = self._footage[number]
        timeline = footage.timeline
        cuts = deque(self._cut(clip, footage) for clip in clips)
        active: deque[_Cut] = deque()
        health, inside = Health(), 0
        frames = read_frames(
            timeline.times,
            timeline.ticks,
            start=min(int(cut.ticks.min()) for cut in cuts),
            stop=max(int(cut.ticks.max()) for cut in cuts) + 1,
            decoder=self._decoder,
            device=self._device,
            health=health,
        )
        with closing(frames), ExitStack() as at_end:
            at_end.callback(lambda: self._count(number, health, inside))
            for frame in frames:
                while cuts and cuts[0].first <= frame.number:
                    active.append(cuts.popleft())
                inside += bool(active)
                self._place(frame, active)
                while active and active[0].last <= frame.number:
                    cut = active.popleft()
                    assert cut.luma is not None
                    yield Clip(cut.planned, cut.luma, cut.sound)

    def _count(self, number: int, health: Health, inside: int) -> None:
        """Add up a read, and tell once a video of what is lost in it."""
        with self._counting:
            self.usage.decoded += health.pictures
            self.usage.inside += inside
            tell = health.unsound > 0 and number not in self._told
            if tell:
                self._told.add(number)
        if tell:
            console.warn(
                f"{self._footage[number].video.path}: {health.unsound:,} pictures of a read are missing or damaged; "
                "what is made of them is not learned from. Look at it: bas doctor."
            )

    def _cut(self, planned: PlannedClip, footage: Footage) -> _Cut:
        timeline = footage.timeline
        ticks = planned.first_row * timeline.rows.hop + self._slots.ticks
        ticks = ticks + _moves(self._jitter, len(ticks), np.random.default_rng([*planned.draws, 0]))
        return _Cut(planned, ticks.clip(0, len(timeline.ticks) - 1))

    def _place(self, frame: Frame, active: Iterable[_Cut]) -> None:
        """Copy a picture to every slot that wants it."""
        picture: Tensor | None = None
        for cut in active:
            slots = np.flatnonzero(cut.ticks == frame.number)
            if not len(slots):
                continue
            if picture is None:
                picture = self._canvas.fit(torch.as_tensor(frame.luma, device=self._device))
            if cut.luma is None:
                cut.luma = picture.new_empty(len(cut.ticks), *picture.shape)
            cut.luma[slots] = picture
            cut.sound[slots] = frame.sound


class _Cut:
    """A clip that is being filled."""

    def __init__(self, planned: PlannedClip, ticks: Int64[np.ndarray, "slots"]) -> None:
        self.planned, self.ticks = planned, ticks
        self.first, self.last = int(ticks[0]) - 2, int(ticks.max())  # jitter moves any tick by one at most
        self.luma: Tensor | None = None
        self.sound = np.zeros(len(ticks), bool)


def _moves(jitter: Chance, count: int, generator: np.random.Generator) -> Int64[np.ndarray, "count"]:
    """Ticks that each picture of a clip is moved by; most clips stay as they are."""
    moves: Int64[np.ndarray, "count"] = generator.choice(JITTER_MOVES, count, p=JITTER_SHARES)
    return moves * int(generator.random() < jitter.p)


def _reads(clips: Sequence[PlannedClip], footage: Footage, slots: Slots) -> Iterator[list[PlannedClip]]:
    """Parts that one read takes: across a gap that is no longer than what a new read decodes for nothing."""
    hop, keyframes = footage.timeline.rows.hop, footage.keyframes
    part: list[PlannedClip] = []
    for clip in clips:
        first = clip.first_row * hop + int(slots.ticks[0])
        if part:
            gap = first - (part[-1].first_row * hop + int(slots.ticks[-1]))
            entry = max(0, int(np.searchsorted(keyframes, first, "right")) - 2)  # a keyframe more than needed
            for_nothing = first - (int(keyframes[entry]) if len(keyframes) else 0)
            if gap > for_nothing or clip.first_row < part[-1].first_row:  # a lane may begin anew
                yield part
                part = []
        part.append(clip)
    if part:
        yield part
