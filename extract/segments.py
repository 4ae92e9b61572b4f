"""The hot loop: ticks are decoded, stacked and encoded, and every full segment becomes a part file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32

from bas.clock import milliseconds, span_text
from bas.config.settings import ExtractSettings
from bas.errors import DataError
from bas.extract.decode import Decoder, Frame, Health
from bas.extract.encoder import FrozenEncoder, rows_a_call
from bas.extract.identity import VideoIdentity
from bas.extract.parts import Part, PartFacts, PartHeader, Segments, hash_of, write_part
from bas.extract.stacks import batches, canvas_of
from bas.extract.timeline import Timeline

_CUDA_RUNS = 8  # a GPU has up to seven decoding engines, and one decoder keeps one of them busy
_CPU_RUNS = 1  # the encoder takes all cores
FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class SegmentWork:
    """One video, what encodes it, and where the parts go."""

    timeline: Timeline
    settings: ExtractSettings
    encoder: FrozenEncoder
    decoder: Decoder
    fingerprint: str
    identity: Callable[[], VideoIdentity]
    """Waits until the video has been hashed."""
    folder: Path
    """Of the part files."""

    @property
    def segments(self) -> Segments:
        """Of the video."""
        return Segments(len(self.timeline.rows), self.settings.segment_rows)

    def calls_of(self, segment: int) -> list[range]:
        """Rows of each call of the encoder; none crosses the border of the segment."""
        rows = self.segments.rows(segment)
        size = canvas_of(self.settings).padded
        step = rows_a_call(self.settings.batch, size=size, device=self.encoder.device)
        return [rows[i : i + step] for i in range(0, len(rows), step)]


def compute_segments(
    work: SegmentWork, segments: Sequence[int], *, advance: Callable[[int], None]
) -> dict[int, PartFacts]:
    """Compute segments and publish each as a part file as soon as it is full.

    On a GPU several stretches of the video are decoded at once, each by a decoder of its own; on a
    CPU one after the other.

    Args:
        work: the video, the encoder and the folder.
        segments: numbers, ascending.
        advance: called with the number of rows after each call of the encoder; it may raise to stop.

    Raises:
        DataError: the video cannot be read, or a feature is not finite.
        OutputError: a part cannot be written; the finished ones are kept.
    """
    at_once = _CUDA_RUNS if work.encoder.device.type == "cuda" else _CPU_RUNS
    runs = _runs(segments, longest=-(-len(segments) // at_once))
    done: dict[int, PartFacts] = {}
    sources = (_compute_run(work, run, done) for run in runs)
    for num_rows in _take_turns(sources, at_once=at_once):
        advance(num_rows)
    return done


def _compute_run(
    work: SegmentWork, run: Sequence[int], done: dict[int, PartFacts]
) -> Generator[int, None, None]:
    """Compute neighboring segments from one read of the video, yielding the number of rows of each call."""
    timeline, encoder, canvas = work.timeline, work.encoder, canvas_of(work.settings)
    calls = {segment: work.calls_of(segment) for segment in run}
    longest = max(len(rows) for pieces in calls.values() for rows in pieces)
    buffer = canvas.empty(longest, device=encoder.device, dtype=encoder.dtype)
    rows = range(work.segments.rows(run[0]).start, work.segments.rows(run[-1]).stop)
    sound, health = timeline.ticks.present.copy(), Health()
    frames = timeline.frames(rows, decoder=work.decoder, device=encoder.device, health=health)
    with closing(frames):
        stacks = batches(
            noting(frames, sound),
            [piece for pieces in calls.values() for piece in pieces],
            rows=timeline.rows,
            canvas=canvas,
            buffer=buffer,
        )
        for segment, pieces in calls.items():
            start, num_rows = pieces[0].start, pieces[-1].stop - pieces[0].start
            values = torch.empty((num_rows, encoder.width, *encoder.grid), device=encoder.device)
            for batch in islice(stacks, len(pieces)):
                values[batch.rows.start - start : batch.rows.stop - start] = encoder(batch.stacks)
                yield len(batch.rows)
            done[segment] = _publish(work, segment, values.cpu().numpy(), sound=sound, decoder=health.decoder)


def _publish(
    work: SegmentWork,
    segment: int,
    values: Float32[np.ndarray, "rows channels height width"],
    *,
    sound: Bool[np.ndarray, "ticks"],
    decoder: str,
) -> PartFacts:
    wanted = work.segments.rows(segment)
    _require_finite(work, values, first=wanted.start)
    rows: Float16[np.ndarray, "rows channels height width"]
    rows = values.clip(-FLOAT16_MAX, FLOAT16_MAX).astype("<f2")
    header = PartHeader(
        fingerprint=work.fingerprint,
        video=work.identity(),
        segment=segment,
        first_row=wanted.start,
        shape=rows.shape,
        precision=work.encoder.precision,
        decoder=decoder,
        clamped=int(np.count_nonzero(np.abs(values) > FLOAT16_MAX)),
        rows_sha256=hash_of(rows),
    )
    facts = PartFacts(header, sound[work.timeline.rows.table(wanted)])
    write_part(work.folder, Part(facts, rows))
    return facts


def _require_finite(
    work: SegmentWork, values: Float32[np.ndarray, "rows channels height width"], *, first: int
) -> None:
    broken = first + np.flatnonzero(~np.isfinite(values).all(axis=(1, 2, 3)))
    if len(broken):
        start, stop = (milliseconds(int(row) / work.settings.row_rate) for row in (broken[0], broken[-1] + 1))
        raise DataError(
            f"{work.timeline.times.path}: {len(broken):,} rows of features at {span_text(start, stop)} are not "
            f"finite in {work.encoder.precision}. The encoder overflows there: pass "
            "--set extract.precision=fp32, or check its weights."
        )


def noting(frames: Iterable[Frame], sound: Bool[np.ndarray, "ticks"]) -> Iterator[Frame]:
    """Pass frames on, writing down which of them are sound."""
    for frame in frames:
        sound[frame.number] = frame.sound
        yield frame


def _runs(segments: Sequence[int], *, longest: int) -> list[list[int]]:
    """Segments in runs of neighbors, each at most `longest` long."""
    runs: list[list[int]] = []
    for segment in segments:
        if runs and segment == runs[-1][-1] + 1 and len(runs[-1]) < longest:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs


def _take_turns(sources: Iterator[Generator[int, None, None]], *, at_once: int) -> Iterator[int]:
    """Items of `at_once` generators in turn; where one ends, the next begins."""
    active = deque(islice(sources, at_once))
    try:
        while active:
            try:
                yield next(active[0])
                active.rotate(-1)
            except StopIteration:
                active.popleft()
                active.extend(islice(sources, 1))
    finally:
        for source in active:
            source.close()
