"""Rendered pictures: ball in view, reproducible frames, and actions visible in motion but not in a single picture."""

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

from bas.synthetic.match import HalfSpec, render_pictures, simulate
from bas.synthetic.rendering.camera import CameraTrack, camera_at, camera_track
from bas.synthetic.simulation.play import Half
from bas.synthetic.simulation.schedule import FPS

_WIDTH, _HEIGHT = 224, 128
_SPEC = HalfSpec(seed=5, match=0, half=1, frames=240 * FPS, profile="even", width=_WIDTH, height=_HEIGHT)


def _half() -> Half:
    return simulate(_SPEC)


@cache
def _track() -> CameraTrack:
    return camera_track(_half(), rng=_SPEC.rng("camera"))


def _ball_pixel(frame: int) -> tuple[int, int]:
    camera = camera_at(_track(), frame, width=_WIDTH, height=_HEIGHT)
    column, row, _ = camera.project(_half().ball[frame : frame + 1].astype(np.float64))[0]
    return int(column), int(row)


def test_the_ball_is_in_view_in_every_frame() -> None:
    seen = np.array([_ball_pixel(frame) for frame in range(0, len(_half()), 5)])
    inside = (seen > 2).all(axis=1) & (seen < (_WIDTH - 3, _HEIGHT - 3)).all(axis=1)
    assert inside.mean() > 0.995
    assert all(
        0 < column < _WIDTH and 0 < row < _HEIGHT for column, row in map(_ball_pixel, _contact_frames())
    )


def test_figures_and_ball_are_large_enough_for_a_small_picture() -> None:
    scales = [
        camera_at(_track(), frame, width=_WIDTH, height=_HEIGHT).focal / 66
        for frame in range(0, len(_half()), 25)
    ]
    assert np.median(scales) * 1.8 * 1.2 > 20  # a figure's height; 66 m is the usual distance
    assert np.median(scales) * 0.35 > 3  # the ball's diameter


def test_the_ball_is_drawn_at_its_projected_position() -> None:
    brighter = 0
    frames = range(60, 560, 50)
    for frame in frames:
        column, row = _ball_pixel(frame)
        luma = render_pictures(_SPEC, frame, frame + 1)[0, :_HEIGHT].astype(int)
        patch = luma[row - 1 : row + 2, column - 1 : column + 2]
        brighter += patch.max() > np.median(luma) + 60
    assert brighter >= 0.9 * len(frames)


def test_a_frame_does_not_depend_on_frames_painted_before() -> None:
    spec = replace(_SPEC, frames=10 * FPS)
    other_match = replace(spec, match=1)
    forward = render_pictures(spec, 100, 104)
    other = render_pictures(other_match, 103, 104)
    assert np.array_equal(render_pictures(spec, 103, 104)[0], forward[3])
    assert not np.array_equal(other[0], forward[3])


def test_luma_stays_in_limited_range() -> None:
    luma = render_pictures(replace(_SPEC, frames=10 * FPS), 0, 10)[:, :_HEIGHT]
    assert luma.min() >= 16
    assert luma.max() <= 235


@pytest.mark.parametrize("size", [(398, 224), (64, 36), (226, 130)])
def test_other_sizes_are_packed_as_420(size: tuple[int, int]) -> None:
    width, height = size
    packed = render_pictures(replace(_SPEC, frames=10 * FPS, width=width, height=height), 30, 32)
    assert packed.shape == (2, height * 3 // 2, width)


def test_actions_are_recognizable_from_motion_but_not_from_a_single_picture() -> None:
    """Compare kicks with moments at which a player has the ball at his feet without acting."""
    kicks = [contact.frame for contact in _half().contacts if contact.move.action.value in _AT_FEET]
    idle = np.random.default_rng(0).permutation(_idle_frames())[: 2 * len(kicks)].tolist()
    targets = np.r_[np.ones(len(kicks)), np.zeros(len(idle))]
    picture, motion = _separability([*kicks, *idle], targets)
    assert picture < 0.72
    assert motion > picture + 0.1


def test_passes_and_drives_are_distinguishable_by_motion_but_not_by_a_single_picture() -> None:
    contacts = [contact for contact in _half().contacts if contact.move.action.value in ("PASS", "DRIVE")]
    targets = np.array([contact.move.action.value == "PASS" for contact in contacts], float)
    picture, motion = _separability([contact.frame for contact in contacts], targets)
    assert picture < 0.72
    assert motion > 0.9


_AT_FEET = ("PASS", "DRIVE", "HIGH PASS", "CROSS", "SHOT")
_CROP = 12


def _contact_frames() -> list[int]:
    return [contact.frame for contact in _half().contacts]


def _idle_frames() -> list[int]:
    """Return frames with the ball at a player's feet and no action nearby."""
    half = _half()
    distance = np.linalg.norm(half.people[:, :22] - half.ball[:, None, :2], axis=2).min(axis=1)
    contacts = np.array(_contact_frames())
    return [
        frame
        for frame in range(FPS, len(half) - FPS)
        if distance[frame] < 0.5 and half.ball[frame, 2] < 0.4 and np.abs(contacts - frame).min() > 8
    ]


def _crop(frame: int) -> np.ndarray:
    """Return the luma around the ball."""
    column, row = _ball_pixel(frame)
    luma = np.pad(render_pictures(_SPEC, frame, frame + 1)[0, :_HEIGHT], 2 * _CROP, mode="edge").astype(
        np.float32
    )
    row, column = row + 2 * _CROP, column + 2 * _CROP
    return luma[row - _CROP : row + _CROP, column - _CROP : column + _CROP]


def _motion(frame: int) -> list[float]:
    """Return the ball's speed before and after, and the size of its change of velocity."""
    before, after = np.diff(_half().ball[[frame - 2, frame, frame + 2]], axis=0)
    return [float(np.linalg.norm(vector)) for vector in (before, after, after - before)]


def _separability(frames: list[int], targets: np.ndarray) -> tuple[float, float]:
    """Return the area under the ROC curve of crops around the ball, and of the ball's motion."""
    render_pictures = np.array([_crop(frame).ravel() for frame in frames])
    motions = np.array([_motion(frame) for frame in frames])
    return _roc_auc(render_pictures, targets), _roc_auc(motions, targets)


def _roc_auc(features: np.ndarray, targets: np.ndarray) -> float:
    """Return the cross-validated area under the ROC curve of the better of two simple classifiers."""
    reduced = PCA(min(12, features.shape[1]))
    models = (
        make_pipeline(StandardScaler(), reduced, LogisticRegression(C=0.1, class_weight="balanced")),
        make_pipeline(StandardScaler(), KNeighborsClassifier(7)),
    )
    return max(
        float(cross_val_score(model, features, targets, cv=4, scoring="roc_auc").mean()) for model in models
    )
