"""Simulated play: the motion before and after each action matches its label."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from bas.synthetic.simulation.actions import Action, Move, profile
from bas.synthetic.simulation.passages import HEAD_HEIGHT
from bas.synthetic.simulation.pitch import GOAL_HALF_WIDTH, GOAL_HEIGHT, HALF_LENGTH, HALF_WIDTH
from bas.synthetic.simulation.play import Half, play_half
from bas.synthetic.simulation.schedule import FPS
from bas.synthetic.simulation.stage import Contact


@cache
def _half() -> Half:
    return play_half(profile("even"), frames=200 * FPS, rng=np.random.default_rng(3))


def _contacts(*actions: Action) -> list[Contact]:
    found = [contact for contact in _half().contacts if contact.move.action in actions]
    assert len(found) >= 5, actions
    return found


def _speed(start: int, stop: int) -> float:
    """Return the ball's mean speed over frames [start, stop], in metres per second."""
    ball = _half().ball[max(start, 0) : stop + 1]
    return float(np.linalg.norm(np.diff(ball, axis=0), axis=1).mean() * FPS)


def _inside_scenes(values: np.ndarray) -> np.ndarray:
    """Drop the differences between frames across a cut."""
    return np.delete(values, [scene - 1 for scene in _half().scenes[1:]], axis=0)


def test_every_action_has_a_frame_of_its_own_inside_the_half() -> None:
    frames = [contact.frame for contact in _half().contacts]
    assert len(set(frames)) == len(frames)
    assert frames == sorted(frames)
    assert 0 < frames[0] < frames[-1] < len(_half()) - FPS


def test_both_teams_act() -> None:
    sides = [contact.side for contact in _half().contacts]
    assert 0.2 < np.mean(sides) < 0.8


def test_the_ball_is_at_the_contact_point() -> None:
    for contact in _half().contacts:
        assert np.allclose(_half().ball[contact.frame], contact.point, atol=1e-3)


def test_the_acting_player_is_at_the_ball() -> None:
    for contact in _half().contacts:
        if contact.move.leaves_play:
            continue
        person = _half().people[contact.frame, contact.person]
        assert np.linalg.norm(person - contact.location) < 0.8, contact
        assert contact.person // 11 == contact.side


def test_nobody_runs_faster_than_a_sprinter_and_no_ball_flies_faster_than_a_shot() -> None:
    people = _inside_scenes(np.linalg.norm(np.diff(_half().people, axis=0), axis=2)) * FPS
    ball = _inside_scenes(np.linalg.norm(np.diff(_half().ball, axis=0), axis=1)) * FPS
    assert np.quantile(people, 0.9999) < 11
    assert ball.max() < 36


def test_a_pass_is_a_sudden_change_of_motion_and_stays_low() -> None:
    for contact in _contacts(Action.PASS):
        if _half().contacts[_half().contacts.index(contact) + 1].move is Move.HEADER:
            continue
        before, after = (
            np.diff(_half().ball[[contact.frame - 1, contact.frame, contact.frame + 1], :2], axis=0) * FPS
        )
        assert np.linalg.norm(after - before) > 4
        assert _half().ball[contact.frame : contact.frame + 5, 2].max() < 1.3


@pytest.mark.parametrize("action", [Action.HIGH_PASS, Action.CROSS])
def test_a_lofted_ball_rises(action: Action) -> None:
    apexes = [_half().ball[contact.frame : contact.frame + FPS, 2].max() for contact in _contacts(action)]
    assert np.median(apexes) > 1.5


def test_a_drive_moves_at_the_pace_of_a_runner() -> None:
    speeds = [_speed(contact.frame, contact.frame + 12) for contact in _contacts(Action.DRIVE)]
    assert 3 < np.median(speeds) < 8


def test_a_header_meets_the_ball_at_the_height_of_a_jumping_head() -> None:
    for contact in _contacts(Action.HEADER):
        assert abs(contact.point[2] - HEAD_HEIGHT) < 0.5


def test_a_shot_is_hard_and_toward_the_opponents_goal() -> None:
    for contact in _contacts(Action.SHOT):
        start, end = _half().ball[contact.frame], _half().ball[contact.frame + 3]
        assert (end - start)[0] * (1 if contact.side == 0 else -1) > 0 or _speed(
            contact.frame, contact.frame + 3
        ) > 10
    assert np.median([_speed(contact.frame, contact.frame + 3) for contact in _contacts(Action.SHOT)]) > 17


def test_out_is_on_a_line_and_goal_is_between_the_posts() -> None:
    for contact in _contacts(Action.OUT):
        x, y = np.abs(contact.location)
        assert max(x - HALF_LENGTH, y - HALF_WIDTH) == pytest.approx(0.15, abs=0.01)
        assert x < HALF_LENGTH or y > GOAL_HALF_WIDTH
    for contact in _contacts(Action.GOAL):
        assert abs(contact.point[0]) == pytest.approx(HALF_LENGTH + 0.25)
        assert abs(contact.point[1]) < GOAL_HALF_WIDTH
        assert contact.point[2] < GOAL_HEIGHT


def test_a_thrower_first_holds_the_ball_above_his_head_at_the_touchline() -> None:
    for contact in _contacts(Action.THROW_IN):
        held = _half().ball[contact.frame - 20 : contact.frame + 1]
        assert held[:, 2].min() > HEAD_HEIGHT
        assert np.abs(held[:, 1]).min() > HALF_WIDTH - 0.5


def test_a_free_kick_is_taken_from_rest_after_a_run_up() -> None:
    for contact in _contacts(Action.FREE_KICK):
        assert _speed(contact.frame - 20, contact.frame) < 0.01
        assert _speed(contact.frame, contact.frame + 3) > 3
        run = _half().people[[contact.frame - 20, contact.frame], contact.person]
        assert np.linalg.norm(run[1] - run[0]) > 2


def test_a_blocked_ball_changes_direction() -> None:
    turns = []
    for contact in _contacts(Action.BLOCK):
        ball = _half().ball[:, :2].astype(float)
        before, after = (
            ball[contact.frame] - ball[contact.frame - 1],
            ball[contact.frame + 2] - ball[contact.frame],
        )
        turns.append(before @ after / (np.linalg.norm(before) * np.linalg.norm(after) + 1e-9))
    assert np.median(turns) < 0.7


def test_a_tackler_belongs_to_the_team_without_the_ball() -> None:
    contacts = _half().contacts
    for before, tackle in pairwise(contacts):
        if tackle.move is Move.TACKLE:
            assert tackle.side != before.side


def test_gestures_without_an_action_are_as_common_as_actions() -> None:
    half = _half()
    moments = {(contact.frame, contact.person) for contact in half.contacts}
    starts = np.argwhere((half.poses[1:] == 1) & (half.poses[:-1] != 1))
    idle = [
        (frame, person)
        for frame, person in starts.tolist()
        if not any((frame + shift, person) in moments for shift in range(12))
    ]
    assert len(idle) > 0.5 * len(starts)
