"""The search is never worse on its own matches, reports official scores, and keeps settings on ties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bas.clock import position_of
from bas.config import DetectionSettings, PostprocessSettings
from bas.dataset.classes import SOCCERNET_V2_CLASSES
from bas.evaluate.analysis.analysis import analyze
from bas.evaluate.formats.soccernet import parse_predictions, results_document
from bas.evaluate.metric.average_precision import ClassMarks
from bas.evaluate.postprocess.calibration import calibration_points
from bas.evaluate.postprocess.detections import calibrate, detect
from bas.evaluate.postprocess.search import Tuning, tune
from bas.evaluate.postprocess.thresholds import threshold_curve
from bas.evaluate.scoring.score import Evaluation, score_detections, score_documents
from bas.types import Scores, Spot

_CLASSES = "PASS", "DRIVE"
_FRAMES = 1500

Matches = tuple[dict[str, tuple[Spot, ...]], dict[str, dict[int, Scores]]]


@pytest.mark.parametrize(
    ("fps", "columns"),
    [
        (Fraction(25), _CLASSES),
        (Fraction(50), ("PASS-left", "PASS-right", "DRIVE-left", "DRIVE-right")),
        (Fraction(30000, 1001), _CLASSES),
    ],
)
def test_the_search_reports_what_the_official_scorer_gives(fps: Fraction, columns: tuple[str, ...]) -> None:
    labels, dense = _matches(0, fps=fps, columns=columns)
    found = _tune(labels, dense)
    assert found.mean_before == _score(labels, dense, found.before).mean_ap
    assert found.mean_after == _score(labels, dense, found.after).mean_ap
    raw = found.after.model_copy(update={"confidences": {}})
    assert found.mean_tuned == _score(labels, dense, raw).mean_ap
    assert [row.calibrated for row in found.actions] == [
        row.ap for row in _score(labels, dense, found.after).classes
    ]


def test_the_search_of_soccernet_v2_counts_at_its_2_fps() -> None:
    labels, dense = _matches(0, columns=SOCCERNET_V2_CLASSES)
    found = _tune(labels, dense, SOCCERNET_V2_CLASSES)
    scored = _score(labels, dense, found.after, SOCCERNET_V2_CLASSES)
    assert scored.framerate == 2
    assert found.mean_after == scored.mean_ap


@pytest.mark.parametrize("seed", range(3))
def test_the_official_score_never_falls_where_it_was_tuned(seed: int) -> None:
    found = _tune(*_matches(seed))
    assert found.mean_before <= found.mean_tuned <= found.mean_after
    assert all(row.tuned <= row.calibrated for row in found.actions)


@pytest.mark.parametrize("seed", range(3))
def test_display_thresholds_are_those_of_maximum_f1(seed: int) -> None:
    labels, dense = _matches(seed)
    postprocess = _tune(labels, dense).after
    found = {
        game: parse_predictions(
            results_document(game, {1: detect(halves[1], postprocess)}, classes=_CLASSES, fps=Fraction(25)),
            source=game,
        )
        for game, halves in dense.items()
    }
    evaluation = score_documents(labels, found, classes=_CLASSES)
    stored = analyze(evaluation, labels, found, thresholds=postprocess.thresholds)
    best = analyze(evaluation, labels, found)
    assert [one.f1 for one in stored.classes] == [one.f1 for one in best.classes]
    assert stored.threshold_source == "the model"


def test_an_action_that_never_occurs_has_a_display_threshold_of_one_half() -> None:
    labels, dense = _matches(0)
    labels = {game: tuple(spot for spot in spots if spot.label == "PASS") for game, spots in labels.items()}
    after = _tune(labels, dense).after
    assert list(after.thresholds) == ["PASS"]
    assert after.threshold("DRIVE") == 0.5


@pytest.mark.parametrize(
    ("seed", "noise"), [(2, 0.5), (6, 0.5), (3, 0.95)]
)  # cases where Team-mAP falls if only mAP is checked
def test_the_team_score_never_falls_either(seed: int, noise: float) -> None:
    columns = ("PASS-left", "PASS-right", "DRIVE-left", "DRIVE-right")
    labels, dense = _matches(seed, columns=columns, noise=noise)
    found = _tune(labels, dense)
    before, after = (_score(labels, dense, postprocess).teams for postprocess in (found.before, found.after))
    assert before is not None
    assert after is not None
    assert after.mean_ap_defined >= before.mean_ap_defined
    assert found.mean_after >= found.mean_before


def test_the_search_starts_from_manual_settings_and_keeps_their_thresholds() -> None:
    labels, dense = _matches(0)
    points = {"PASS": ((0.0, 0.0), (0.5, 0.8), (1.0, 1.0))}
    postprocess = PostprocessSettings(confidences=points, thresholds={"PASS": 0.33})
    found = tune(labels, dense, classes=_CLASSES, postprocess=postprocess)
    assert found.before == postprocess
    assert found.mean_before == _score(labels, dense, postprocess).mean_ap
    assert found.mean_after >= found.mean_before
    assert found.after.threshold("PASS") == 0.33


@pytest.mark.parametrize(("hits", "misses", "expected"), [(0, 5, None), (1, 1000, None), (8, 2, 0.5)])
def test_a_list_that_is_mostly_noise_has_no_display_threshold(
    hits: int, misses: int, expected: float | None
) -> None:
    spots = ClassMarks(np.arange(10) * 100, np.ones(10))
    frames = np.concatenate([np.arange(hits) * 100, 50 + 100 * np.arange(misses)])
    values = np.concatenate([np.full(hits, 0.5), np.full(misses, 0.6 if hits < 8 else 0.4)])
    order = np.argsort(frames)
    assert (
        threshold_curve([(spots, ClassMarks(frames[order], values[order]))], half_window=12).display_threshold
        == expected
    )


def test_the_same_matches_give_the_same_settings() -> None:
    assert _tune(*_matches(3)) == _tune(*_matches(3))


def test_perfect_scores_leave_the_settings_as_they_were() -> None:
    labels, dense = _matches(0, noise=0, width=2)
    found = _tune(labels, dense)
    assert found.before == PostprocessSettings()
    assert found.after == PostprocessSettings(thresholds=found.after.thresholds)
    assert found.mean_after == 1.0


def test_the_search_starts_from_manual_settings_of_a_class() -> None:
    postprocess = PostprocessSettings(classes={"DRIVE": DetectionSettings(sigma=1)})
    labels, dense = _matches(0, noise=0, width=2)
    after = tune(labels, dense, classes=_CLASSES, postprocess=postprocess).after
    assert after == postprocess.model_copy(update={"thresholds": after.thresholds})


def test_crowded_scores_are_calibrated() -> None:
    """All scores lie between two of the 200 thresholds, and are separated only by calibration."""
    labels, dense = _matches(1)
    crowded = {
        game: {half: Scores(scores.values * np.float32(0.01), scores.classes, scores.fps)}
        for game, halves in dense.items()
        for half, scores in halves.items()
    }
    found = tune(labels, crowded, classes=_CLASSES, postprocess=PostprocessSettings(min_score=0.0002))
    assert found.mean_after > found.mean_tuned + 0.05
    exact = _score(labels, crowded, found.after).mean_ap_exact
    assert found.mean_after == pytest.approx(exact, abs=0.02)


@settings(max_examples=50)
@given(
    scores=st.lists(st.floats(0, 1, width=32), min_size=0, max_size=200),
    new=st.lists(st.floats(0, 1, width=32), max_size=50, unique=True),
)
def test_calibration_keeps_the_ranking_and_stays_between_0_and_1(
    scores: list[float], new: list[float]
) -> None:
    points = calibration_points(np.array(scores))
    PostprocessSettings(confidences={"PASS": points} if points else {})  # validates that they increase
    calibrated = calibrate(np.array(sorted(new)), points)
    assert np.all(np.diff(calibrated) >= 0)
    assert np.all((calibrated >= 0) & (calibrated <= 1))


def test_calibration_points_that_do_not_increase_are_an_error() -> None:
    for points in (((0, 0), (0.5, 0.7), (0.6, 0.7), (1, 1)), ((0.1, 0), (1, 1)), ((0, 0),)):
        with pytest.raises(ValueError, match="must rise strictly from 0, 0 to 1, 1"):
            PostprocessSettings(confidences={"PASS": points})


def test_detections_use_the_settings_and_calibration_of_their_class() -> None:
    values = np.zeros((100, 2), dtype=np.float32)
    values[[20, 30], :] = [[0.4], [0.2]]
    postprocess = PostprocessSettings(
        sigma=0,
        min_distance=12,
        classes={"DRIVE": DetectionSettings(method="linear", sigma=0, min_distance=20)},
        confidences={"DRIVE": ((0, 0), (0.4, 0.9), (1, 1))},
    )
    found = detect(Scores(values, _CLASSES, Fraction(25)), postprocess)
    assert [(d.frame, d.label) for d in found] == [(20, "PASS"), (20, "DRIVE"), (30, "DRIVE")]
    np.testing.assert_allclose([d.score for d in found], [0.4, 0.9, 0.225], atol=1e-6)


def _tune(
    labels: dict[str, tuple[Spot, ...]],
    dense: dict[str, dict[int, Scores]],
    classes: tuple[str, ...] = _CLASSES,
) -> Tuning:
    return tune(labels, dense, classes=classes, postprocess=PostprocessSettings())


def _score(
    labels: dict[str, tuple[Spot, ...]],
    dense: dict[str, dict[int, Scores]],
    postprocess: PostprocessSettings,
    classes: tuple[str, ...] = _CLASSES,
) -> Evaluation:
    found = {
        game: {half: detect(scores, postprocess) for half, scores in halves.items()}
        for game, halves in dense.items()
    }
    fps = next(iter(next(iter(dense.values())).values())).fps
    return score_detections(labels, found, classes=classes, fps=fps)


def _matches(
    seed: int,
    *,
    fps: Fraction = Fraction(25),
    columns: tuple[str, ...] = _CLASSES,
    noise: float = 0.5,
    width: float = 6,
) -> Matches:
    """Two games with bumps of varying height at their spots, and other bumps elsewhere."""
    random = np.random.default_rng(seed)
    starts = np.arange(60, _FRAMES - 60, 120)
    labels, dense = {}, {}
    for game in ("A - B", "C - D"):
        values, spots = np.zeros((_FRAMES, len(columns))), []
        for column, name in enumerate(columns):
            label, _, team = name.partition("-")
            for frame in starts + random.integers(0, 40, len(starts)):
                spots.append(Spot(position_of(int(frame), fps), label, team or None))
                values[:, column] += _bump(frame, height=1 - noise * random.random(), width=width)
            if noise:
                for frame in random.integers(0, _FRAMES, 20):
                    values[:, column] += _bump(frame, height=noise * random.random(), width=width)
                values[:, column] *= 1 + 0.3 * random.standard_normal(_FRAMES)
        labels[game] = tuple(spots)
        dense[game] = {1: Scores(values.clip(0, 1).astype(np.float32), columns, fps)}
    return labels, dense


def _bump(frame: int, *, height: float, width: float) -> np.ndarray:
    return np.asarray(height * np.exp(-0.5 * ((np.arange(_FRAMES) - frame) / width) ** 2))
