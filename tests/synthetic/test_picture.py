"""What the broadcast shows: the ball in view, the same bytes for the same frame, no action in a single picture."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bas.synthetic.camera import Views, follow, projection
from bas.synthetic.match import Recipe, pictures, played
from bas.synthetic.plan import FPS
from bas.synthetic.play import Half

_WIDTH, _HEIGHT = 224, 128
_RECIPE = Recipe(seed=5, match=0, half=1, frames=240 * FPS, profile="even", width=_WIDTH, height=_HEIGHT)


def _half() -> Half:
    return played(_RECIPE)


@cache
def _views() -> Views:
    return follow(_half(), rng=_RECIPE.random("camera"))


def _ball_seen(frame: int) -> tuple[int, int]:
    camera = projection(_views(), frame, width=_WIDTH, height=_HEIGHT)
    column, row, _ = camera.place(_half().ball[frame : frame + 1].astype(np.float64))[0]
    return int(column), int(row)


def test_the_ball_is_in_view_in_every_frame() -> None:
    seen = np.array([_ball_seen(frame) for frame in range(0, len(_half()), 5)])
    inside = (seen > 2).all(axis=1) & (seen < (_WIDTH - 3, _HEIGHT - 3)).all(axis=1)
    assert inside.mean() > 0.995
    assert all(
        0 < column < _WIDTH and 0 < row < _HEIGHT for column, row in map(_ball_seen, _contact_frames())
    )


def test_figures_and_ball_are_large_enough_for_a_small_picture() -> None:
    scales = [
        projection(_views(), frame, width=_WIDTH, height=_HEIGHT).focal / 66
        for frame in range(0, len(_half()), 25)
    ]
    assert np.median(scales) * 1.8 * 1.2 > 20  # a figure's height; 66 m is the usual distance
    assert np.median(scales) * 0.35 > 3  # the ball's diameter


def test_the_ball_is_drawn_where_it_is() -> None:
    brighter = 0
    frames = range(60, 560, 50)
    for frame in frames:
        column, row = _ball_seen(frame)
        luma = pictures(_RECIPE, frame, frame + 1)[0, :_HEIGHT].astype(int)
        spot = luma[row - 1 : row + 2, column - 1 : column + 2]
        brighter += spot.max() > np.median(luma) + 60
    assert brighter >= 0.9 * len(frames)


def test_a_frame_is_the_same_whatever_was_painted_before() -> None:
    recipe = replace(_RECIPE, frames=10 * FPS)
    other_match = replace(recipe, match=1)
    forward = pictures(recipe, 100, 104)
    other = pictures(other_match, 103, 104)
    assert np.array_equal(pictures(recipe, 103, 104)[0], forward[3])
    assert not np.array_equal(other[0], forward[3])


def test_luma_stays_in_its_limited_range() -> None:
    luma = pictures(replace(_RECIPE, frames=10 * FPS), 0, 10)[:, :_HEIGHT]
    assert luma.min() >= 16
    assert luma.max() <= 235


@pytest.mark.parametrize("size", [(398, 224), (64, 36), (226, 130)])
def test_other_sizes_are_packed_as_420(size: tuple[int, int]) -> None:
    width, height = size
    packed = pictures(replace(_RECIPE, frames=10 * FPS, width=width, height=height), 30, 32)
    assert packed.shape == (2, height * 3 // 2, width)


def test_a_picture_does_not_tell_whether_an_action_happens_but_the_motion_around_it_does() -> None:
    """Actions against moments at which a player has the ball at his feet and does nothing with it."""
    kicks = [contact.frame for contact in _half().contacts if contact.move.action.value in _AT_FEET]
    idle = np.random.default_rng(0).permutation(_idle_frames())[: 2 * len(kicks)].tolist()
    truth = np.r_[np.ones(len(kicks)), np.zeros(len(idle))]
    picture, motion = _readable([*kicks, *idle], truth)
    assert picture < 0.72
    assert motion > picture + 0.1


def test_a_picture_does_not_tell_a_pass_from_a_drive_but_the_motion_around_it_does() -> None:
    contacts = [contact for contact in _half().contacts if contact.move.action.value in ("PASS", "DRIVE")]
    truth = np.array([contact.move.action.value == "PASS" for contact in contacts], float)
    picture, motion = _readable([contact.frame for contact in contacts], truth)
    assert picture < 0.72
    assert motion > 0.9


_AT_FEET = ("PASS", "DRIVE", "HIGH PASS", "CROSS", "SHOT")
_CROP = 12


def _contact_frames() -> list[int]:
    return [contact.frame for contact in _half().contacts]


def _idle_frames() -> list[int]:
    """Somebody has the ball at his feet, and no action is near in time."""
    half = _half()
    distance = np.linalg.norm(half.people[:, :22] - half.ball[:, None, :2], axis=2).min(axis=1)
    contacts = np.array(_contact_frames())
    return [
        frame
        for frame in range(FPS, len(half) - FPS)
        if distance[frame] < 0.5 and half.ball[frame, 2] < 0.4 and np.abs(contacts - frame).min() > 8
    ]


def _crop(frame: int) -> np.ndarray:
    """Luma around the ball."""
    column, row = _ball_seen(frame)
    luma = np.pad(pictures(_RECIPE, frame, frame + 1)[0, :_HEIGHT], 2 * _CROP, mode="edge").astype(np.float32)
    row, column = row + 2 * _CROP, column + 2 * _CROP
    return luma[row - _CROP : row + _CROP, column - _CROP : column + _CROP]


def _motion(frame: int) -> list[float]:
    """Speed of the ball before and after, and the change of its velocity."""
    before, after = np.diff(_half().ball[[frame - 2, frame, frame + 2]], axis=0)
    return [float(np.linalg.norm(vector)) for vector in (before, after, after - before)]


def _readable(frames: list[int], truth: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve from the crop around the ball, and from the ball's motion."""
    pictures = np.array([_crop(frame).ravel() for frame in frames])
    motions = np.array([_motion(frame) for frame in frames])
    return _area(pictures, truth), _area(motions, truth)


def _area(features: np.ndarray, truth: np.ndarray) -> float:
    """Of the better of two simple classifiers, cross-validated."""
    reduced = PCA(min(12, features.shape[1]))
    models = (
        make_pipeline(StandardScaler(), reduced, LogisticRegression(C=0.1, class_weight="balanced")),
        make_pipeline(StandardScaler(), KNeighborsClassifier(7)),
    )
    return max(
        float(cross_val_score(model, features, truth, cv=4, scoring="roc_auc").mean()) for model in models
    )
