from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bas.extract.decode.frames import Frame
from bas.extract.decode.timeline import RowLayout
from bas.extract.encode.stacks import Canvas, stack_batches


def gray(number: int, size: tuple[int, int] = (8, 8)) -> Frame:
    """A uniform gray picture with the number of its frame as its value."""
    return Frame(number, number, np.full(size, number, np.uint8), is_valid=True)


def grays(numbers: range) -> Iterator[Frame]:
    return (gray(number) for number in numbers)


def test_a_row_holds_its_own_frame_and_those_two_before_and_after() -> None:
    assert RowLayout(100, hop=2, stack=(-2, 0, 2)).frames_of(10) == (18, 20, 22)


def test_the_end_frames_repeat_at_the_ends() -> None:
    rows = RowLayout(100, hop=2, stack=(-2, 0, 2))
    assert rows.frames_of(0) == (0, 0, 2)
    assert rows.frames_of(49) == (96, 98, 99)


@pytest.mark.parametrize(
    ("num_frames", "hop", "rows"), [(1, 2, 1), (2, 2, 1), (3, 2, 2), (100, 3, 34), (7, 1, 7)]
)
def test_there_is_a_row_for_every_started_hop(num_frames: int, hop: int, rows: int) -> None:
    assert len(RowLayout(num_frames, hop, (-2, 0, 2))) == rows


@given(
    num_frames=st.integers(1, 60),
    hop=st.integers(1, 7),
    stack=st.tuples(*[st.integers(-6, 6)] * 3),
    step=st.integers(1, 5),
    data=st.data(),
)
def test_each_stack_holds_its_own_frames_for_any_pieces_from_any_row_on(
    num_frames: int, hop: int, stack: tuple[int, int, int], step: int, data: st.DataObject
) -> None:
    rows, canvas = RowLayout(num_frames, hop, stack), Canvas(8, 8)
    start = data.draw(st.integers(0, len(rows) - 1))
    stop = data.draw(st.integers(start + 1, len(rows)))
    pieces = [range(i, min(i + step, stop)) for i in range(start, stop, step)]
    buffer = canvas.empty(step, device="cpu", dtype=torch.float32)
    source = grays(rows.span(range(start, stop)))
    seen: list[int] = []
    for batch in stack_batches(source, pieces, rows=rows, canvas=canvas, buffer=buffer):
        middle = batch.stacks[:, :, 16, 16].int()
        assert middle.tolist() == [list(rows.frames_of(row)) for row in batch.rows]
        assert middle.tolist() == rows.table(batch.rows).tolist()
        seen += batch.rows
    assert seen == list(range(start, stop))


def test_720_rows_lie_in_736_with_8_zeros_above_and_8_below() -> None:
    canvas = Canvas(720, 1280)
    assert canvas.padded == (736, 1280)
    assert canvas.inside == (slice(8, 728), slice(0, 1280))


def test_the_padding_stays_zero_when_the_buffer_is_reused() -> None:
    canvas, rows = Canvas(60, 90), RowLayout(20, 1, (-1, 0, 1))
    buffer = canvas.empty(4, device="cpu", dtype=torch.float32)
    pieces = [range(i, i + 4) for i in range(0, 20, 4)]
    source = (
        Frame(number, number, np.full((60, 90), number + 100, np.uint8), is_valid=True)
        for number in range(20)
    )
    for batch in stack_batches(source, pieces, rows=rows, canvas=canvas, buffer=buffer):
        inside = batch.stacks[:, :, 2:62, 3:93]
        assert inside.min() >= 100
        assert inside.sum() == batch.stacks.sum()


def test_all_stacks_are_views_of_one_buffer() -> None:
    canvas, rows = Canvas(8, 8), RowLayout(6, 1, (0, 0, 0))
    buffer = canvas.empty(2, device="cpu", dtype=torch.float32)
    pieces = [range(2), range(2, 4), range(4, 6)]
    stacked = stack_batches(grays(range(6)), pieces, rows=rows, canvas=canvas, buffer=buffer)
    assert {batch.stacks.data_ptr() for batch in stacked} == {buffer.data_ptr()}


def test_a_flipped_picture_is_mirrored_left_to_right() -> None:
    picture = torch.arange(64, dtype=torch.uint8).reshape(8, 8)
    assert torch.equal(Canvas(8, 8, flip=True).fit(picture), picture.flip(1))


def test_a_picture_of_the_right_size_is_not_copied() -> None:
    picture = torch.arange(64, dtype=torch.uint8).reshape(8, 8)
    assert Canvas(8, 8).fit(picture) is picture


@pytest.mark.parametrize("size", [(96, 128), (50, 70), (64, 64)])
def test_a_scaled_picture_keeps_its_gray_and_stays_in_range(size: tuple[int, int]) -> None:
    for gray in (0, 16, 235, 255):
        scaled = Canvas(60, 90).fit(torch.full(size, gray, dtype=torch.uint8))
        assert scaled.shape == (60, 90)
        assert scaled.min() == scaled.max() == gray


def test_scaling_down_is_antialiased() -> None:
    stripes = torch.zeros(64, 64, dtype=torch.uint8)
    stripes[:, ::2] = 200
    scaled = Canvas(64, 16).fit(stripes)
    assert scaled[:, 2:-2].float().sub(100).abs().max() <= 2


@pytest.mark.fault("V13")
def test_pictures_that_change_size_in_mid_video_all_fill_the_canvas() -> None:
    canvas, rows = Canvas(60, 90), RowLayout(9, 1, (-1, 0, 1))
    sizes = [(60, 90), (120, 180), (33, 47)]
    frames = (gray(number, sizes[number // 3]) for number in range(9))
    buffer = canvas.empty(9, device="cpu", dtype=torch.float32)
    (batch,) = stack_batches(frames, [range(9)], rows=rows, canvas=canvas, buffer=buffer)
    inside = batch.stacks[:, :, 2:62, 3:93]
    assert inside[:, :, 0, 0].tolist() == rows.table(range(9)).tolist()
    assert torch.equal(inside.amin((2, 3)), inside.amax((2, 3)))
