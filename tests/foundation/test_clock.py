"""Frames, milliseconds, container time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bas.clock import frame_at, game_time, lay, parse_game_time, position_of, positions_of

_25 = Fraction(25)


def test_every_multiple_of_40_ms_is_its_own_frame_at_25_fps() -> None:
    assert all(frame_at(40 * frame, _25) == frame for frame in range(160_000))


def test_a_position_between_two_frames_goes_to_the_nearer_and_a_half_up() -> None:
    assert [frame_at(ms, _25) for ms in (59, 60, 61, 99, 100)] == [1, 2, 2, 2, 3]


@pytest.mark.parametrize("fps", [_25, Fraction(50), Fraction(30000, 1001), Fraction(12)])
def test_no_reader_moves_a_written_frame(fps: Fraction) -> None:
    rate = float(fps)
    for frame in range(0, 200_000, 1 if fps == 25 else 17):
        position = position_of(frame, fps)
        assert frame_at(position, fps) == frame
        assert int(rate * (position / 1000)) == frame  # the official scorer
        assert int(position / 1000 * rate) == frame  # T-DEED
        assert round(position * rate * 0.001) == frame  # lRomul


def test_frames_at_25_fps_are_written_4_ms_late() -> None:
    assert [position_of(frame, _25) for frame in (0, 1, 152_740)] == [4, 44, 6_109_604]


def test_negative_times_are_refused() -> None:
    with pytest.raises(ValueError, match="-40 ms is negative"):
        frame_at(-40, _25)
    with pytest.raises(ValueError, match="frame -1 is negative"):
        position_of(-1, _25)


@given(st.integers(1, 2), st.integers(0, 150 * 60_000))
def test_game_time_is_read_as_it_is_written(half: int, position_ms: int) -> None:
    assert parse_game_time(game_time(half, position_ms)) == (half, position_ms // 1000 * 1000)


def test_minutes_may_have_three_digits() -> None:
    assert game_time(1, 6_102_040) == "1 - 101:42"
    assert parse_game_time("1 - 101:42") == (1, 6_102_000)


@pytest.mark.parametrize("text", ["101:42", "1 - 5:3", "1 - 05:60", "1-05:00", "1 - 05:00 ", ""])
def test_a_malformed_game_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="game time"):
        parse_game_time(text)


def _lay(pts: object, rate: Fraction = _25, origin: int = 0):  # type: ignore[no-untyped-def]
    return lay(np.asarray(pts, np.int64), Fraction(1, 1000), origin=origin, rate=rate)


def test_a_25_fps_video_is_laid_one_to_one() -> None:
    ticks = _lay(np.arange(500) * 40 + 80, origin=80)
    assert ticks.picture.tolist() == list(range(500))
    assert ticks.present.all()
    assert not ticks.varying


def test_a_hole_is_missing_and_shifts_nothing_after_it() -> None:
    ticks = _lay(np.delete(np.arange(100) * 40, range(40, 60)))
    assert np.flatnonzero(~ticks.present).tolist() == list(range(40, 60))
    assert ticks.picture[60:].tolist() == list(range(40, 80))


def test_one_lost_picture_is_missing() -> None:
    assert np.flatnonzero(~_lay(np.delete(np.arange(100) * 40, 50)).present).tolist() == [50]


@pytest.mark.parametrize(
    "rate", [Fraction(50), Fraction(30000, 1001), Fraction(24), Fraction(15), Fraction(60)]
)
def test_a_video_of_another_rate_has_no_holes(rate: Fraction) -> None:
    pts = np.array([round(i * 1000 / rate) for i in range(400)])
    ticks = _lay(pts)
    assert ticks.present.all()
    assert np.abs(pts[ticks.picture] - 40 * np.arange(len(ticks))).max() <= max(20, 500 / rate + 1)


def test_a_phone_that_slows_down_has_no_holes() -> None:
    ticks = _lay(np.cumsum(np.tile([0, 40, 80, 20], 60)))
    assert ticks.varying
    assert ticks.present.all()


@given(st.lists(st.integers(1, 400), min_size=1, max_size=80), st.sampled_from([1, 12, 25, 50]))
def test_every_tick_takes_a_nearest_picture(gaps: list[int], rate: int) -> None:
    pts = np.cumsum(gaps)
    ticks = _lay(pts, Fraction(rate), origin=int(pts[0]))
    times = np.arange(len(ticks)) * 1000 / rate + pts[0]
    distance = np.abs(pts[None] - times[:, None])
    np.testing.assert_allclose(distance[np.arange(len(ticks)), ticks.picture], distance.min(axis=1))
    assert len(ticks) == frame_at(int(pts[-1] - pts[0]), Fraction(rate)) + 1


@given(
    st.lists(st.integers(0, 200_000), max_size=20),
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(2), Fraction(50), Fraction(24000, 1001)]),
)
def test_positions_of_many_frames_are_those_of_each(frames: list[int], fps: Fraction) -> None:
    many = positions_of(np.array(frames, np.int64), fps)
    assert many.tolist() == [position_of(frame, fps) for frame in frames]
