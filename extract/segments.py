"""The extraction loop: decode, stack and encode frames, and publish each full segment as a part file."""

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
from bas.config.base import Decoder, Precision
from bas.config.extract import ExtractSettings
from bas.errors import DataError
from bas.extract.cache.fingerprint import Fingerprint, VideoIdentity
from bas.extract.cache.parts import Part, Segments, hash_rows, write_part
from bas.extract.decode.frames import DecodeStats, Frame
from bas.extract.decode.timeline import VideoTimeline
from bas.extract.encode.encoder import FrozenEncoder, rows_per_call
from bas.extract.encode.stacks import canvas_of, stack_batches
from bas.messages import counted
from bas.signals import StopFlag

_CUDA_DECODERS = 8  # a GPU has up to seven decoding engines, and one decoder keeps one of them busy
_CPU_DECODERS = 1  # the encoder takes all cores
FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class VideoTask:
    """Input, settings and output of the extraction of one video."""

    game: str
    video: Path
    target: Path
    settings: ExtractSettings
    fingerprint: Fingerprint
    encoder_for: Callable[[Precision | None], FrozenEncoder]
    """Returns the encoder in a precision; None means the precision of the settings."""
    row_shape: tuple[int, int, int]
    decoder: Decoder
    stop: StopFlag

    @property
    def folder(self) -> Path:
        """Folder of the part files."""
        return self.target.with_suffix(".parts")

    @property
    def lock(self) -> Path:
        """Lock file, held while the parts and the target are written."""
        return self.target.with_suffix(".lock")


@dataclass(frozen=True, slots=True)
class SegmentWork:
    """The task of one video once the video has been probed and the encoder chosen."""

    task: VideoTask
    timeline: VideoTimeline
    encoder: FrozenEncoder
    identity: Callable[[], VideoIdentity]
    """Waits until the video has been hashed."""

    @property
    def segments(self) -> Segments:
        """Division of the video's rows into segments."""
        return Segments(len(self.timeline.rows), self.task.settings.segment_rows)

    def calls_of(self, segment: int) -> list[range]:
        """Rows of each encoder call; none crosses the border of the segment."""
        rows, settings = self.segments.rows(segment), self.task.settings
        step = rows_per_call(settings.batch, size=canvas_of(settings).padded, device=self.encoder.device)
        return [rows[i : i + step] for i in range(0, len(rows), step)]


def compute_segments(
    work: SegmentWork, segments: Sequence[int], *, advance: Callable[[int], None]
) -> dict[int, Part]:
    """Compute segments and publish each as a part file as soon as it is full.

    On a GPU several spans of the video are decoded at once, each by its own decoder; on a CPU they
    are decoded one after the other.

    Args:
        work: the video, the encoder and the folder.
        segments: numbers of the segments, ascending.
        advance: called with the number of rows after each encoder call; it may raise to stop.

    Raises:
        DataError: the video cannot be read, or a feature is not finite.
        OutputError: a part cannot be written; finished parts are kept.
    """
    # As few spans as there are decoders: each span first decodes pictures that it only refers to.
    at_once = _CUDA_DECODERS if work.encoder.device.type == "cuda" else _CPU_DECODERS
    spans = _consecutive_spans(segments, longest=-(-len(segments) // at_once))
    done: dict[int, Part] = {}
    sources = (_compute_span(work, span, done) for span in spans)
    for num_rows in _round_robin(sources, at_once=at_once):
        advance(num_rows)
    return done


def _compute_span(
    work: SegmentWork, span: Sequence[int], done: dict[int, Part]
) -> Generator[int, None, None]:
    """Compute consecutive segments in one read of the video; yield the number of rows of each call."""
    timeline, encoder, canvas = work.timeline, work.encoder, canvas_of(work.task.settings)
    calls = {segment: work.calls_of(segment) for segment in span}
    longest = max(len(rows) for pieces in calls.values() for rows in pieces)
    buffer = canvas.empty(longest, device=encoder.device, dtype=encoder.dtype)
    rows = range(work.segments.rows(span[0]).start, work.segments.rows(span[-1]).stop)
    valid, stats = timeline.clock_frames.present.copy(), DecodeStats()
    frames = timeline.read_frames(rows, decoder=work.task.decoder, device=encoder.device, stats=stats)
    with closing(frames):
        # One iterator over all segments: neighbors share frames, and a new read would seek and
        # decode those again.
        stacks = stack_batches(
            record_valid(frames, valid),
            [piece for pieces in calls.values() for piece in pieces],
            rows=timeline.rows,
            canvas=canvas,
            buffer=buffer,
        )
        for segment, pieces in calls.items():
            start, num_rows = pieces[0].start, pieces[-1].stop - pieces[0].start
            # Only one segment of fp32 rows is on the device, however long the match is.
            values = torch.empty((num_rows, encoder.width, *encoder.grid), device=encoder.device)
            for batch in islice(stacks, len(pieces)):
                values[batch.rows.start - start : batch.rows.stop - start] = encoder(batch.stacks)
                yield len(batch.rows)
            # After the last batch, `valid` covers every frame of the segment's rows. The decoder is
            # read here because the CPU may have taken over on the way.
            done[segment] = _publish(work, segment, values.cpu().numpy(), valid=valid, decoder=stats.decoder)


def _publish(
    work: SegmentWork,
    segment: int,
    values: Float32[np.ndarray, "rows channels height width"],
    *,
    valid: Bool[np.ndarray, "frames"],
    decoder: str,
) -> Part:
    segment_rows = work.segments.rows(segment)
    _require_finite(work, values, first=segment_rows.start)
    # Clipped first: the cast alone would turn large values into infinity.
    rows: Float16[np.ndarray, "rows channels height width"]
    rows = values.clip(-FLOAT16_MAX, FLOAT16_MAX).astype("<f2")
    part = Part(
        fingerprint=work.task.fingerprint.json,
        video=work.identity(),
        segment=segment,
        first_row=segment_rows.start,
        shape=rows.shape,
        precision=work.encoder.precision,
        decoder=decoder,
        clamped=int(np.count_nonzero(np.abs(values) > FLOAT16_MAX)),
        rows_sha256=hash_rows(rows),
        valid=valid[work.timeline.rows.table(segment_rows)],
    )
    write_part(work.task.folder, part, rows)
    return part


def _require_finite(
    work: SegmentWork, values: Float32[np.ndarray, "rows channels height width"], *, first: int
) -> None:
    broken = first + np.flatnonzero(~np.isfinite(values).all(axis=(1, 2, 3)))
    if len(broken):
        start, stop = (
            milliseconds(int(row) / work.task.settings.row_rate) for row in (broken[0], broken[-1] + 1)
        )
        raise DataError(
            f"{work.timeline.times.path}: non-finite values in {counted(len(broken), 'feature row')} at "
            f"{span_text(start, stop)}, in {work.encoder.precision}. The encoder overflows there: pass "
            "--set extract.precision=fp32 to bas extract or bas fit-head, or check its weights."
        )


def record_valid(frames: Iterable[Frame], valid: Bool[np.ndarray, "frames"]) -> Iterator[Frame]:
    """Pass frames on and record in `valid` whether each is valid."""
    for frame in frames:
        valid[frame.number] = frame.is_valid
        yield frame


def _consecutive_spans(segments: Sequence[int], *, longest: int) -> list[list[int]]:
    """Group segments into spans of consecutive numbers, each at most `longest` long."""
    spans: list[list[int]] = []
    for segment in segments:
        if spans and segment == spans[-1][-1] + 1 and len(spans[-1]) < longest:
            spans[-1].append(segment)
        else:
            spans.append([segment])
    return spans


def _round_robin(sources: Iterator[Generator[int, None, None]], *, at_once: int) -> Iterator[int]:
    """Yield items of `at_once` generators in turn; where one ends, the next begins."""
    # Each generator reads ahead in its own thread: while one of them encodes, the others decode.
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
