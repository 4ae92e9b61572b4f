"""Clips: which are drawn, what is cut out of the video, and what is true of their rows."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from threading import Barrier
from typing import Any

import media
import numpy as np
import pytest
import torch
from extracting import tiny_settings
from hypothesis import given
from hypothesis import strategies as st

from bas.config import FinetuneSettings, FitSettings, Pipeline
from bas.config.finetune import AugmentSettings, Chance
from bas.extract.decode import Health, read_frames
from bas.extract.stacks import canvas_of
from bas.extract.timeline import Timeline, open_timeline
from bas.heads.build import build_head
from bas.heads.clip_plan import ClipShape, Footage, _shuffled, clip_shape, keyframe_ticks, plan_epoch
from bas.heads.clips import Clip, ClipReader, slots_of
from bas.heads.head import Head
from bas.heads.outputs import Task
from bas.heads.supply import Sample, Supply
from bas.heads.targets import row_targets
from bas.types import Game, Spot, Video

_CPU = torch.device("cpu")
_ROW_SHAPE = (4, 2, 2)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline(
        extract=tiny_settings(tmp_path_factory.mktemp("weights")),
        fit=FitSettings(),
        finetune=FinetuneSettings(samples=24, batch=3, shuffle_clips=4),
    )


@pytest.fixture(scope="module")
def footage(settings: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> list[Footage]:
    folder = tmp_path_factory.mktemp("videos")
    made = []
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
        game = Game(name, (Video(path, 1),), None)
        made.append(Footage(game, game.videos[0], timeline, targets, weights, keyframe_ticks(timeline)))
    return made


def _head(kind: str = "netvlad", **values: object) -> Head:
    head = Pipeline.model_validate({"head": {"kind": kind} | values}).head
    return build_head(head, _ROW_SHAPE, Task(4), row_rate=Fraction(25, 2))


def _pictures(timeline: Timeline, settings: Pipeline) -> torch.Tensor:
    """Every tick of a video as the encoder would see it."""
    canvas = canvas_of(settings.extract)
    frames = timeline.frames(range(len(timeline.rows)), decoder="cpu", device="cpu", health=Health())
    return torch.stack([canvas.fit(torch.as_tensor(frame.luma)) for frame in frames])


def _reader(footage: list[Footage], settings: Pipeline, shape: ClipShape, **augment: Chance) -> ClipReader:
    tune = settings.finetune.model_copy(update={"augment": AugmentSettings(**augment)})
    changed = settings.model_copy(update={"finetune": tune})
    return ClipReader(footage, shape, changed, decoder="cpu", device=_CPU)


def test_a_window_head_tells_of_every_row_whose_window_fits_in_the_clip() -> None:
    shape = clip_shape(_head("blocks3d", frames=15), 31)
    assert shape.told[:, 0].tolist() == list(range(6, 25))
    assert (shape.windows[0] == [0, 3, 6, 9, 12]).all()
    assert shape.windows.max() == 30
    assert len(clip_shape(_head("blocks3d", frames=15), 13).windows) == 1
    assert len(clip_shape(_head("blocks3d", frames=33), 31).windows) == 1


def test_a_clip_head_tells_of_every_row_of_a_clip_once() -> None:
    shape = clip_shape(_head("gru", clip_rows=20), 50)
    assert (shape.windows == [np.arange(20), np.arange(20, 40), np.arange(30, 50)]).all()
    assert (shape.told == shape.windows).all()
    assert sorted(shape.told[shape.first_told]) == list(range(50))
    assert not shape.first_told[2, :10].any()  # the second window told of them
    assert len(clip_shape(_head("gru", clip_rows=20), 40).windows) == 2
    assert clip_shape(_head("gru", clip_rows=100), None).rows == 100
    assert clip_shape(_head("linear"), None).rows == 31


@given(count=st.integers(1, 60), waiting=st.integers(1, 20), seed=st.integers(0, 9))
def test_shuffling_gives_every_clip_once_and_none_long_before_its_turn(
    count: int, waiting: int, seed: int
) -> None:
    order = _shuffled(count, waiting, np.random.default_rng(seed))
    assert sorted(order) == list(range(count))
    assert (order < np.arange(count) + waiting).all()


def test_an_epoch_is_a_function_of_seed_and_epoch(footage: list[Footage], settings: Pipeline) -> None:
    shape = clip_shape(_head(), None)

    def plan(epoch: int, seed: int) -> list[list[tuple[int, int]]]:
        lanes = plan_epoch(footage, shape, settings.finetune.model_copy(update={"seed": seed}), epoch=epoch)
        return [[(lane.clips[i].footage, lane.clips[i].first_row) for i in lane.order] for lane in lanes]

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(2, 0)
    assert plan(1, 0) != plan(1, 5)
    assert np.shape(plan(1, 0)) == (3, 8, 2)


def test_clips_tell_of_the_rows_that_were_drawn(footage: list[Footage], settings: Pipeline) -> None:
    shape = clip_shape(_head(), None)
    wanted = np.zeros(len(footage[0].weights))
    wanted[40] = 1.0
    only = [replace(footage[0], weights=wanted)]
    for lane in plan_epoch(only, shape, settings.finetune, epoch=1):
        for clip in lane.clips:
            assert 40 - clip.first_row in shape.told
            # A keyframe lies every 10 rows, and the drawn row may stand at 12 places of the clip.
            assert (clip.first_row * 2 - 2) % 20 in (0, 19)


def test_a_clip_is_cut_to_the_picture(footage: list[Footage], settings: Pipeline) -> None:
    shape = clip_shape(_head(), None)
    reader, slots = _reader(footage, settings, shape), slots_of(shape, settings)
    pictures = [_pictures(one.timeline, settings) for one in footage]
    for lane in plan_epoch(footage, shape, settings.finetune, epoch=1):
        for clip in reader.lane(lane):
            ticks = clip.planned.first_row * 2 + slots.ticks
            video = pictures[clip.planned.footage]
            assert torch.equal(clip.luma, video[ticks.clip(0, len(video) - 1)])
            assert clip.sound.all()
    assert 0 < reader.usage.inside <= reader.usage.decoded


def test_damage_is_told_once_a_video(
    footage: list[Footage],
    settings: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = read_frames

    def damaged(*arguments: Any, health: Health, **options: Any) -> Any:
        yield from real(*arguments, health=health, **options)
        health.unsound += 7

    monkeypatch.setattr("bas.heads.clips.read_frames", damaged)
    shape = clip_shape(_head(), None)
    reader = _reader(footage, settings, shape)
    for lane in plan_epoch(footage, shape, settings.finetune, epoch=1):
        list(reader.lane(lane))
    told = capsys.readouterr().err
    for one in footage:
        assert told.replace("\n", "").count(f"{one.video.path}: 7 pictures") == 1


def test_lanes_are_read_side_by_side(
    footage: list[Footage], settings: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(3)
    real = ClipReader.lane

    def lane(self: ClipReader, *arguments: Any, **options: Any) -> Any:
        together.wait(timeout=20)  # passes where three threads wait at once
        yield from real(self, *arguments, **options)

    plain = [sample for _, sample in _samples(footage, settings, _head())]
    monkeypatch.setattr(ClipReader, "lane", lane)
    shape = clip_shape(_head(), None)
    reader = ClipReader(footage, shape, settings, decoder="cpu", device=_CPU)
    supply = Supply(footage, shape, settings, reader=reader, lanes=slice(0, 3), device=_CPU)
    read = [sample for step in supply.epoch(1) for sample in step]
    assert all(torch.equal(one.luma, other.luma) for one, other in zip(plain, read, strict=True))
    usage = reader.usage
    assert 0 < supply.share_used <= 1
    list(supply.epoch(1))
    assert reader.usage == usage  # counted anew, not on


def test_a_lane_that_starts_later_gives_what_it_would_have_given(
    footage: list[Footage], settings: Pipeline
) -> None:
    shape = clip_shape(_head(), None)
    lane = plan_epoch(footage, shape, settings.finetune, epoch=1)[0]
    reader = _reader(footage, settings, shape, jitter=Chance(p=0.5))
    whole = list(reader.lane(lane))
    for start in (1, 5):
        for one, other in zip(whole[start:], reader.lane(lane, start=start), strict=True):
            assert one.planned == other.planned
            assert torch.equal(one.luma, other.luma)


def test_jitter_shows_each_picture_or_a_neighbor(footage: list[Footage], settings: Pipeline) -> None:
    shape = clip_shape(_head(), None)
    lane = plan_epoch(footage, shape, settings.finetune, epoch=1)[0]
    slots = slots_of(shape, settings)
    pictures = [_pictures(one.timeline, settings) for one in footage]
    moved = 0
    for clip in _reader(footage, settings, shape, jitter=Chance(p=1.0)).lane(lane):
        video = pictures[clip.planned.footage]
        for slot, tick in enumerate(clip.planned.first_row * 2 + slots.ticks):
            near = video[np.clip([tick - 1, tick, tick + 1], 0, len(video) - 1)]
            same = (near == clip.luma[slot]).all(dim=(1, 2))
            assert same.any()
            moved += not same[1]
    assert moved


def _samples(
    footage: list[Footage], settings: Pipeline, head: Head, clip_rows: int | None = None
) -> list[tuple[Clip, Sample]]:
    shape = clip_shape(head, clip_rows)
    reader = ClipReader(footage, shape, settings, decoder="cpu", device=_CPU)
    supply = Supply(footage, shape, settings, reader=reader, lanes=slice(0, 3), device=_CPU)
    clips = [list(reader.lane(lane)) for lane in plan_epoch(footage, shape, settings.finetune, epoch=1)]
    return [
        (clips[lane][step], sample)
        for step, samples in enumerate(supply.epoch(1))
        for lane, sample in enumerate(samples)
    ]


def test_every_row_has_its_truth_and_rows_beyond_the_ends_do_not_count(
    footage: list[Footage], settings: Pipeline
) -> None:
    head = _head("gru", clip_rows=40)
    seen = 0
    for clip, sample in _samples(footage, settings, head):
        targets, count = footage[clip.planned.footage].targets, len(footage[clip.planned.footage].weights)
        rows = clip.planned.first_row + np.arange(40)
        inside = (rows >= 0) & (rows < count)
        assert (sample.truth.counted[0].numpy() > 0).tolist() == inside.tolist()
        assert (sample.truth.labels[0].numpy()[inside] == targets.labels[rows[inside]]).all()
        assert (sample.rows.numpy() + clip.planned.first_row == rows.clip(0, count - 1)).all()
        seen += not inside.all()
    assert seen


def test_rows_of_two_windows_count_once(footage: list[Footage], settings: Pipeline) -> None:
    for clip, sample in _samples(footage, settings, _head("gru", clip_rows=20), clip_rows=31):
        rows = clip.planned.first_row + np.arange(31)
        inside = (rows >= 0) & (rows < len(footage[clip.planned.footage].weights))
        assert sample.truth.counted.sum() == inside.sum()


def test_a_mirrored_clip_has_its_teams_swapped(footage: list[Footage], settings: Pipeline) -> None:
    tune = settings.finetune.model_copy(update={"augment": AugmentSettings(flip=Chance(p=0.5))})
    sided = FitSettings(teams="classes")
    changed = settings.model_copy(update={"finetune": tune, "fit": sided})
    head = _head("gru", clip_rows=40)
    plain = _samples(footage, settings.model_copy(update={"fit": sided}), head)
    seen = 0
    for (clip, one), (_, other) in zip(plain, _samples(footage, changed, head), strict=True):
        if torch.equal(one.luma, other.luma):
            assert torch.equal(one.truth.labels, other.truth.labels)
            continue
        assert torch.equal(one.luma.flip(2), other.luma)
        assert torch.equal(one.truth.labels[..., [1, 0, 3, 2]], other.truth.labels)
        known = one.truth.team.isfinite()
        assert torch.equal(1 - one.truth.team[known], other.truth.team[known])
        seen += 1
        assert torch.equal(clip.luma, one.luma)
    assert 3 < seen < 21


def test_mixed_clips_hold_both_and_their_truth(footage: list[Footage], settings: Pipeline) -> None:
    tune = settings.finetune.model_copy(update={"augment": AugmentSettings(mixup=0.5)})
    head = _head("gru", clip_rows=40)
    plain = [sample for _, sample in _samples(footage, settings, head)]
    mixed = [sample for _, sample in _samples(footage, settings.model_copy(update={"finetune": tune}), head)]
    for place, sample in enumerate(mixed):
        if place + 3 >= len(plain):  # of the last step
            assert torch.equal(sample.luma, plain[place].luma)
            continue
        one, other = plain[place], plain[place + 3]
        both = torch.stack([one.luma, other.luma]).float()
        assert ((sample.luma >= both.amin(0) - 1) & (sample.luma <= both.amax(0) + 1)).all()
        total = one.truth.labels + other.truth.labels
        assert torch.equal(sample.truth.labels > 0, total > 0)
        assert torch.equal(sample.truth.counted, one.truth.counted * other.truth.counted)
