"""Clips: their sampling, their pictures, and the targets of their rows."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from threading import Barrier, active_count
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import media
from support.extracting import tiny_settings

from bas.config import ExtractSettings, FinetuneSettings, FitSettings, Pipeline
from bas.config.finetune import AugmentSettings, RandomTransform
from bas.errors import DataError
from bas.extract.decode.frames import DecodeStats, read_frames
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.extract.encode.stacks import canvas_of
from bas.heads.finetune.clip_loader import ClipLoader, ClipSample
from bas.heads.finetune.clip_reader import Clip, ClipReader
from bas.heads.finetune.clip_sampler import (
    ClipShape,
    ClipSource,
    _buffered_shuffle,
    clip_shape,
    keyframe_indices,
    plan_epoch,
)
from bas.heads.models.base import Head
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Task
from bas.heads.training.targets import row_targets
from bas.types import Spot, Video

_CPU = torch.device("cpu")
_ROW_SHAPE = (4, 2, 2)
_EXTRACT = ExtractSettings()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline(
        extract=tiny_settings(tmp_path_factory.mktemp("weights")),
        fit=FitSettings(),
        finetune=FinetuneSettings(samples=24, batch=3, shuffle_clips=4),
    )


@pytest.fixture(scope="module")
def sources(settings: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> list[ClipSource]:
    folder = tmp_path_factory.mktemp("videos")
    sources = []
    for name, pictures in (("one", 220), ("two", 150)):
        path = media.write_video(folder / name / "1_720p.mkv", pictures, size=(96, 64), keyframe_every=20)
        timeline = open_timeline(path, settings.extract)
        num_rows = len(timeline.rows)
        targets = row_targets(
            [Spot(2000, "PASS", "left"), Spot(4400, "SHOT", "right")],
            ("PASS-left", "PASS-right", "SHOT-left", "SHOT-right"),
            frames=np.arange(num_rows) * 2,
            rate=Fraction(25),
            hop=2,
            window=9,
            displacement_window=9,
        )
        weights = np.full(num_rows, 1 / num_rows)
        sources.append(ClipSource(Video(path, 1), timeline, targets, weights, keyframe_indices(timeline)))
    return sources


def _head(kind: str = "netvlad", **values: object) -> Head:
    head = Pipeline.model_validate({"head": {"kind": kind} | values}).head
    return build_head(head, _ROW_SHAPE, Task(4), row_rate=Fraction(25, 2))


def _pictures(timeline: VideoTimeline, settings: Pipeline) -> torch.Tensor:
    """The picture of every frame of a video, as the encoder would see it."""
    canvas = canvas_of(settings.extract)
    frames = timeline.read_frames(range(len(timeline.rows)), decoder="cpu", device="cpu", stats=DecodeStats())
    return torch.stack([canvas.fit(torch.as_tensor(frame.luma)) for frame in frames])


def _reader(
    sources: list[ClipSource], settings: Pipeline, shape: ClipShape, **augment: RandomTransform
) -> ClipReader:
    tune = settings.finetune.model_copy(update={"augment": AugmentSettings(**augment)})
    changed = settings.model_copy(update={"finetune": tune})
    return ClipReader(sources, shape, changed, decoder="cpu", device=_CPU)


def test_a_window_head_predicts_every_row_whose_window_fits_in_the_clip() -> None:
    shape = clip_shape(_head("blocks3d", frames=15), 31, _EXTRACT)
    assert shape.target_rows[:, 0].tolist() == list(range(6, 25))
    assert (shape.windows[0] == [0, 3, 6, 9, 12]).all()
    assert shape.windows.max() == 30
    assert len(clip_shape(_head("blocks3d", frames=15), 13, _EXTRACT).windows) == 1
    assert len(clip_shape(_head("blocks3d", frames=33), 31, _EXTRACT).windows) == 1


def test_a_sequence_head_predicts_every_row_of_a_clip_once() -> None:
    shape = clip_shape(_head("gru", clip_rows=20), 50, _EXTRACT)
    assert (shape.windows == [np.arange(20), np.arange(20, 40), np.arange(30, 50)]).all()
    assert (shape.target_rows == shape.windows).all()
    assert sorted(shape.target_rows[shape.first_occurrence]) == list(range(50))
    assert not shape.first_occurrence[2, :10].any()  # the second window predicts them
    assert len(clip_shape(_head("gru", clip_rows=20), 40, _EXTRACT).windows) == 2
    assert clip_shape(_head("gru", clip_rows=100), None, _EXTRACT).num_rows == 100
    assert clip_shape(_head("linear"), None, _EXTRACT).num_rows == 31


@given(count=st.integers(1, 60), buffer_size=st.integers(1, 20), seed=st.integers(0, 9))
def test_the_shuffle_gives_every_clip_once_and_less_than_a_buffer_early(
    count: int, buffer_size: int, seed: int
) -> None:
    order = _buffered_shuffle(count, buffer_size, np.random.default_rng(seed))
    assert sorted(order) == list(range(count))
    assert (order < np.arange(count) + buffer_size).all()


def test_an_epoch_is_a_function_of_seed_and_epoch(sources: list[ClipSource], settings: Pipeline) -> None:
    shape = clip_shape(_head(), None, _EXTRACT)

    def plan(epoch: int, seed: int) -> list[list[tuple[int, int]]]:
        slots = plan_epoch(sources, shape, settings.finetune.model_copy(update={"seed": seed}), epoch=epoch)
        return [[(slot.clips[i].source, slot.clips[i].first_row) for i in slot.order] for slot in slots]

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(2, 0)
    assert plan(1, 0) != plan(1, 5)
    assert np.shape(plan(1, 0)) == (3, 8, 2)


def test_clips_predict_the_sampled_rows(sources: list[ClipSource], settings: Pipeline) -> None:
    shape = clip_shape(_head(), None, _EXTRACT)
    probabilities = np.zeros(len(sources[0].probabilities))
    probabilities[40] = 1.0
    only = [replace(sources[0], probabilities=probabilities)]
    for slot in plan_epoch(only, shape, settings.finetune, epoch=1):
        for clip in slot.clips:
            assert 40 - clip.first_row in shape.target_rows
            # A keyframe lies every 10 rows, and the sampled row may have any of 12 positions in the clip.
            assert (clip.first_row * 2 - 2) % 20 in (0, 19)


def test_a_clip_holds_exactly_its_pictures(sources: list[ClipSource], settings: Pipeline) -> None:
    shape = clip_shape(_head(), None, _EXTRACT)
    reader, offsets = _reader(sources, settings, shape), shape.offsets
    pictures = [_pictures(source.timeline, settings) for source in sources]
    for slot in plan_epoch(sources, shape, settings.finetune, epoch=1):
        for clip in reader.read_slot(slot):
            frames = clip.planned.first_row * 2 + offsets
            video = pictures[clip.planned.source]
            assert torch.equal(clip.luma, video[frames.clip(0, len(video) - 1)])
            assert clip.valid.all()
    assert 0 < reader.usage.used <= reader.usage.decoded


def test_damage_is_reported_once_per_video(
    sources: list[ClipSource],
    settings: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = read_frames

    def damaged(*arguments: Any, stats: DecodeStats, **options: Any) -> Any:
        yield from real(*arguments, stats=stats, **options)
        stats.missing_or_damaged += 7

    monkeypatch.setattr("bas.heads.finetune.clip_reader.read_frames", damaged)
    shape = clip_shape(_head(), None, _EXTRACT)
    reader = _reader(sources, settings, shape)
    for slot in plan_epoch(sources, shape, settings.finetune, epoch=1):
        list(reader.read_slot(slot))
    output = capsys.readouterr().err
    for source in sources:
        assert output.replace("\n", "").count(f"{source.video.path}: 7 pictures") == 1


def test_batch_slots_are_read_in_parallel(
    sources: list[ClipSource], settings: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    barrier = Barrier(3)
    real = ClipReader.read_slot

    def read_slot(self: ClipReader, *arguments: Any, **options: Any) -> Any:
        barrier.wait(timeout=20)  # passes only if three threads wait at once
        yield from real(self, *arguments, **options)

    plain = [sample for _, sample in _samples(sources, settings, _head())]
    monkeypatch.setattr(ClipReader, "read_slot", read_slot)
    shape = clip_shape(_head(), None, _EXTRACT)
    reader = ClipReader(sources, shape, settings, decoder="cpu", device=_CPU)
    loader = ClipLoader(sources, shape, settings, reader=reader, slots=slice(0, 3), device=_CPU)
    read = [sample for step in loader.epoch(1) for sample in step]
    assert all(torch.equal(one.luma, other.luma) for one, other in zip(plain, read, strict=True))
    usage = reader.usage
    assert 0 < loader.fraction_used <= 1
    list(loader.epoch(1))
    assert reader.usage == usage  # counted from zero in every epoch


@pytest.mark.fault("T08", "P27")
def test_a_reader_that_fails_ends_the_epoch_with_its_error(
    sources: list[ClipSource], settings: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = read_frames

    def failing(*arguments: Any, **options: Any) -> Any:
        yield from islice(real(*arguments, **options), 30)
        raise DataError("the disk is gone")

    monkeypatch.setattr("bas.heads.finetune.clip_reader.read_frames", failing)
    shape = clip_shape(_head(), None, _EXTRACT)
    reader = ClipReader(sources, shape, settings, decoder="cpu", device=_CPU)
    loader = ClipLoader(sources, shape, settings, reader=reader, slots=slice(0, 3), device=_CPU)
    before = active_count()
    with pytest.raises(DataError, match="the disk is gone"):
        list(loader.epoch(1))
    assert active_count() == before


def test_a_batch_slot_started_at_a_later_step_gives_the_same_clips_from_there_on(
    sources: list[ClipSource], settings: Pipeline
) -> None:
    shape = clip_shape(_head(), None, _EXTRACT)
    slot = plan_epoch(sources, shape, settings.finetune, epoch=1)[0]
    reader = _reader(sources, settings, shape, jitter=RandomTransform(p=0.5))
    whole = list(reader.read_slot(slot))
    for start in (1, 5):
        for one, other in zip(whole[start:], reader.read_slot(slot, start=start), strict=True):
            assert one.planned == other.planned
            assert torch.equal(one.luma, other.luma)


def test_jitter_replaces_a_picture_only_by_its_neighbors(
    sources: list[ClipSource], settings: Pipeline
) -> None:
    shape = clip_shape(_head(), None, _EXTRACT)
    slot = plan_epoch(sources, shape, settings.finetune, epoch=1)[0]
    offsets = shape.offsets
    pictures = [_pictures(source.timeline, settings) for source in sources]
    moved = 0
    for clip in _reader(sources, settings, shape, jitter=RandomTransform(p=1.0)).read_slot(slot):
        video = pictures[clip.planned.source]
        for index, frame in enumerate(clip.planned.first_row * 2 + offsets):
            near = video[np.clip([frame - 1, frame, frame + 1], 0, len(video) - 1)]
            same = (near == clip.luma[index]).all(dim=(1, 2))
            assert same.any()
            moved += not same[1]
    assert moved


def _samples(
    sources: list[ClipSource], settings: Pipeline, head: Head, clip_rows: int | None = None
) -> list[tuple[Clip, ClipSample]]:
    shape = clip_shape(head, clip_rows, _EXTRACT)
    reader = ClipReader(sources, shape, settings, decoder="cpu", device=_CPU)
    loader = ClipLoader(sources, shape, settings, reader=reader, slots=slice(0, 3), device=_CPU)
    clips = [list(reader.read_slot(slot)) for slot in plan_epoch(sources, shape, settings.finetune, epoch=1)]
    return [
        (clips[slot][step], sample)
        for step, samples in enumerate(loader.epoch(1))
        for slot, sample in enumerate(samples)
    ]


def test_every_row_has_its_targets_and_rows_beyond_the_ends_are_masked(
    sources: list[ClipSource], settings: Pipeline
) -> None:
    head = _head("gru", clip_rows=40)
    seen = 0
    for clip, sample in _samples(sources, settings, head):
        targets, count = sources[clip.planned.source].targets, len(sources[clip.planned.source].probabilities)
        rows = clip.planned.first_row + np.arange(40)
        inside = (rows >= 0) & (rows < count)
        assert (sample.targets.mask[0].numpy() > 0).tolist() == inside.tolist()
        assert (sample.targets.labels[0].numpy()[inside] == targets.labels[rows[inside]]).all()
        assert (sample.row_indices.numpy() + clip.planned.first_row == rows.clip(0, count - 1)).all()
        seen += not inside.all()
    assert seen


def test_rows_in_two_windows_count_once(sources: list[ClipSource], settings: Pipeline) -> None:
    for clip, sample in _samples(sources, settings, _head("gru", clip_rows=20), clip_rows=31):
        rows = clip.planned.first_row + np.arange(31)
        inside = (rows >= 0) & (rows < len(sources[clip.planned.source].probabilities))
        assert sample.targets.mask.sum() == inside.sum()


def test_a_mirrored_clip_has_its_teams_swapped(sources: list[ClipSource], settings: Pipeline) -> None:
    tune = settings.finetune.model_copy(update={"augment": AugmentSettings(flip=RandomTransform(p=0.5))})
    sided = FitSettings(teams="classes")
    changed = settings.model_copy(update={"finetune": tune, "fit": sided})
    head = _head("gru", clip_rows=40)
    plain = _samples(sources, settings.model_copy(update={"fit": sided}), head)
    seen = 0
    for (clip, one), (_, other) in zip(plain, _samples(sources, changed, head), strict=True):
        if torch.equal(one.luma, other.luma):
            assert torch.equal(one.targets.labels, other.targets.labels)
            continue
        assert torch.equal(one.luma.flip(2), other.luma)
        assert torch.equal(one.targets.labels[..., [1, 0, 3, 2]], other.targets.labels)
        known = one.targets.team.isfinite()
        assert torch.equal(1 - one.targets.team[known], other.targets.team[known])
        seen += 1
        assert torch.equal(clip.luma, one.luma)
    assert 3 < seen < 21


def test_mixed_clips_hold_both_clips_and_both_targets(sources: list[ClipSource], settings: Pipeline) -> None:
    tune = settings.finetune.model_copy(update={"augment": AugmentSettings(mixup=0.5)})
    head = _head("gru", clip_rows=40)
    plain = [sample for _, sample in _samples(sources, settings, head)]
    mixed = [sample for _, sample in _samples(sources, settings.model_copy(update={"finetune": tune}), head)]
    for index, sample in enumerate(mixed):
        if index + 3 >= len(plain):  # the last step
            assert torch.equal(sample.luma, plain[index].luma)
            continue
        one, other = plain[index], plain[index + 3]
        both = torch.stack([one.luma, other.luma]).float()
        assert ((sample.luma >= both.amin(0) - 1) & (sample.luma <= both.amax(0) + 1)).all()
        total = one.targets.labels + other.targets.labels
        assert torch.equal(sample.targets.labels > 0, total > 0)
        assert torch.equal(sample.targets.mask, one.targets.mask * other.targets.mask)
