"""Conversion between frames, milliseconds and container time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bas.clock import (
    frame_at,
    game_time,
    parse_game_time,
    place_on_clock,
    position_of,
    positions_of,
    time_text,
)

_25 = Fraction(25)


@pytest.mark.fault("L06", "P20")
def test_multiples_of_40_ms_are_consecutive_frames_at_25_fps() -> None:
    assert all(frame_at(40 * frame, _25) == frame for frame in range(160_000))


def test_a_position_is_rounded_to_the_nearest_frame_and_halves_up() -> None:
    assert [frame_at(ms, _25) for ms in (59, 60, 61, 99, 100)] == [1, 2, 2, 2, 3]


@pytest.mark.fault("L07")
@pytest.mark.parametrize("fps", [_25, Fraction(50), Fraction(30000, 1001), Fraction(12)])
def test_every_reader_gets_the_written_frame_back(fps: Fraction) -> None:
    rate = float(fps)
    for frame in range(0, 200_000, 1 if fps == 25 else 17):
        position = position_of(frame, fps)
        assert frame_at(position, fps) == frame
        assert int(rate * (position / 1000)) == frame  # the official scorer
        assert int(position / 1000 * rate) == frame  # T-DEED
        assert round(position * rate * 0.001) == frame  # lRomul


def test_positions_at_25_fps_are_4_ms_after_the_frame() -> None:
    assert [position_of(frame, _25) for frame in (0, 1, 152_740)] == [4, 44, 6_109_604]


def test_negative_times_are_refused() -> None:
    with pytest.raises(ValueError, match="-40 ms is negative"):
        frame_at(-40, _25)
    with pytest.raises(ValueError, match="frame -1 is negative"):
        position_of(-1, _25)


@given(st.integers(1, 2), st.integers(0, 150 * 60_000))
def test_game_time_survives_a_round_trip(half: int, position_ms: int) -> None:
    assert parse_game_time(game_time(half, position_ms)) == (half, position_ms // 1000 * 1000)


def test_minutes_may_have_three_digits() -> None:
    assert game_time(1, 6_102_040) == "1 - 101:42"
    assert parse_game_time("1 - 101:42") == (1, 6_102_000)


@pytest.mark.parametrize(
    ("decimals", "text"), [(0, "101:42"), (1, "101:42.0"), (2, "101:42.04"), (3, "101:42.049")]
)
def test_time_text_is_rounded_down_to_its_decimals(decimals: int, text: str) -> None:
    assert time_text(6_102_049, decimals=decimals) == text


@pytest.mark.parametrize("text", ["101:42", "1 - 5:3", "1 - 05:60", "1-05:00", "1 - 05:00 ", ""])
def test_a_malformed_game_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="game time"):
        parse_game_time(text)


def _lay(pts: object, rate: Fraction = _25, origin: int = 0):  # type: ignore[no-untyped-def]
    return place_on_clock(np.asarray(pts, np.int64), Fraction(1, 1000), origin=origin, rate=rate)


def test_a_25_fps_video_has_one_frame_per_picture() -> None:
    ticks = _lay(np.arange(500) * 40 + 80, origin=80)
    assert ticks.picture.tolist() == list(range(500))
    assert ticks.present.all()
    assert not ticks.varying


def test_a_gap_has_no_pictures_and_shifts_nothing_after_it() -> None:
    ticks = _lay(np.delete(np.arange(100) * 40, range(40, 60)))
    assert np.flatnonzero(~ticks.present).tolist() == list(range(40, 60))
    assert ticks.picture[60:].tolist() == list(range(40, 80))


def test_a_lost_picture_leaves_a_gap() -> None:
    assert np.flatnonzero(~_lay(np.delete(np.arange(100) * 40, 50)).present).tolist() == [50]


@pytest.mark.parametrize(
    "rate", [Fraction(50), Fraction(30000, 1001), Fraction(24), Fraction(15), Fraction(60)]
)
def test_a_video_of_another_rate_has_no_gaps(rate: Fraction) -> None:
    pts = np.array([round(i * 1000 / rate) for i in range(400)])
    ticks = _lay(pts)
    assert ticks.present.all()
    assert np.abs(pts[ticks.picture] - 40 * np.arange(len(ticks))).max() <= max(20, 500 / rate + 1)


def test_a_variable_frame_rate_that_slows_down_has_no_gaps() -> None:
    ticks = _lay(np.cumsum(np.tile([0, 40, 80, 20], 60)))
    assert ticks.varying
    assert ticks.present.all()


@given(st.lists(st.integers(1, 400), min_size=1, max_size=80), st.sampled_from([1, 12, 25, 50]))
def test_every_frame_gets_a_nearest_picture(gaps: list[int], rate: int) -> None:
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
def test_vectorized_positions_equal_single_positions(frames: list[int], fps: Fraction) -> None:
    many = positions_of(np.array(frames, np.int64), fps)
    assert many.tolist() == [position_of(frame, fps) for frame in frames]
