"""The metric equals the official one on golden numbers, on hand-made cases, and against a literal implementation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bas.evaluate.metric.average_precision import (
    AveragePrecision,
    MarkArrays,
    ScoringTimeline,
    average_precision,
    build_timeline,
    official_frames,
    support,
    team_average,
)
from bas.evaluate.metric.tolerance import TOLERANCES

Row = tuple[int, int, float]
"""Frame, class, value."""

HAND_CASES = {
    "the same frame": ([100], [(100, 0.7)], 1.0),
    "12 frames late": ([100], [(112, 0.7)], 1.0),
    "12 frames early": ([100], [(88, 0.7)], 1.0),
    "13 frames late": ([100], [(113, 0.7)], 0.0),
    "a hit, then a miss": ([100], [(100, 0.9), (500, 0.8)], 1.0),
    "a miss, then a hit": ([100], [(500, 0.9), (100, 0.8)], 0.5),
    "half of the spots": ([100, 300], [(100, 0.9)], 6 / 11),
    "a duplicate": ([100], [(100, 0.9), (101, 0.8)], 1.0),
    "no spot": ([], [(100, 0.9)], 0.0),
    "no detection": ([100], [], 0.0),
    "three tied, one hit": ([100], [(95, 0.5), (105, 0.5), (500, 0.5)], 1 / 3),
    "closer than a threshold": ([100, 300], [(100, 0.0030), (300, 0.0029), (500, 0.0028)], 2 / 3),
    "the same order, spread out": ([100, 300], [(100, 0.30), (300, 0.29), (500, 0.28)], 1.0),
    "one detection for two spots": ([100, 110], [(108, 0.9)], 6 / 11),
    "two detections for two spots": ([100, 110], [(108, 0.9), (99, 0.3)], 1.0),
    "an earlier spot steals": ([100, 115], [(108, 0.9), (95, 0.5)], 6 / 11),
    "a confidence above 1": ([100], [(100, 1.5), (500, 0.2)], 1.0),
    "a confidence of 0": ([100], [(100, 0.0)], 1.0),
    "a confidence below 0": ([100], [(100, -0.1)], 0.0),
    "a confidence of NaN": ([100], [(100, math.nan)], 0.0),
    "NaN replaces an earlier detection": ([100], [(100, 0.9), (100, math.nan)], 0.0),
}


@pytest.mark.parametrize("name", HAND_CASES)
def test_hand_made_cases(name: str) -> None:
    spots, detections, expected = HAND_CASES[name]
    timeline = _timeline([(frame, 0, 1) for frame in spots], [(f, 0, score) for f, score in detections], 1)
    assert _at(1.0, [timeline], 1).overall.mean == pytest.approx(expected, abs=1e-12)


def test_at_2_fps_a_window_of_1_s_is_one_frame_to_either_side() -> None:
    near = _timeline([(10, 0, 1)], [(11, 0, 0.9)], 1)
    far = _timeline([(10, 0, 1)], [(12, 0, 0.9)], 1)
    assert [_at(1.0, [timeline], 1, framerate=2).overall.mean for timeline in (near, far)] == [1.0, 0.0]


def test_golden_cases_at_every_tolerance(metric_golden: dict[str, Any]) -> None:
    for case in metric_golden["cases"]:
        scored = _score_case(case)
        measured: dict[str, Any] = {name: result.overall.mean for name, result in scored.items()} | {
            "per_class_at1": scored["at1"].overall.per_class,
            "visible_at1": scored["at1"].visible.mean,
            "unshown_at1": scored["at1"].unshown.mean,
            "tight_visible": scored["tight"].visible.mean,
            "tight_unshown": scored["tight"].unshown.mean,
        }
        for name, expected in case["expected"].items():
            np.testing.assert_allclose(
                measured[name], expected, rtol=0, atol=1e-9, err_msg=f"{case['name']} {name}"
            )


def test_golden_team_cases_with_undefined_actions(metric_golden: dict[str, Any]) -> None:
    undefined = 0
    for case in metric_golden["team_cases"]:
        timelines = _timelines(case)
        result = average_precision(timelines, num_classes=case["C"], framerate=case["fps"], tolerances=[1.0])
        teams = team_average(result.overall.per_class, support(timelines, num_classes=case["C"]))
        expected = case["expected"]
        np.testing.assert_allclose(
            [teams.mean, *teams.per_class],
            np.array([expected["team_mAP_at1"], *expected["per_action"]], dtype=float),
            rtol=0,
            atol=1e-9,
        )
        undefined += math.isnan(teams.mean)
    assert undefined == 2


@pytest.mark.parametrize(
    ("seed", "counts", "with_clutter", "expected"),
    [
        (
            2025,
            (700, 600, 120, 110, 80, 40, 50, 25, 30, 10, 3, 2),
            True,
            {
                "at1": 0.67585968,
                "at2": 0.73784667,
                "at3": 0.73922375,
                "at4": 0.73904989,
                "at5": 0.73999443,
                "tight": 0.73101184,
                "loose": 0.76546961,
            },
        ),
    ],
)
def test_a_whole_match_of_random_detections(
    seed: int, counts: tuple[int, ...], with_clutter: bool, expected: dict[str, float]
) -> None:
    timelines = _random_match(seed, counts, with_clutter=with_clutter)
    for name, value in expected.items():
        result = average_precision(
            timelines, num_classes=len(counts), framerate=25, tolerances=TOLERANCES[name]
        )
        assert result.overall.mean == pytest.approx(value, abs=6e-9)


def test_a_whole_match_of_two_teams() -> None:
    counts = [n for n in (350, 300, 60, 55, 40, 20, 25, 12, 15, 5, 2, 1) for _ in range(2)]
    timelines = _random_match(7, counts, with_clutter=False)
    result = average_precision(timelines, num_classes=24, framerate=25, tolerances=[1.0])
    teams = team_average(result.overall.per_class, support(timelines, num_classes=24))
    assert teams.mean == pytest.approx(0.72234798, abs=6e-9)


@pytest.mark.fault("L06")
def test_the_official_clock_equals_its_float_expression() -> None:
    positions = np.arange(0, 8_000_000, 40)
    expected = [min(int(25 * (int(ms) / 1000)), 179_999) for ms in positions]
    assert official_frames(positions.astype(np.float64), framerate=25).tolist() == expected
    early = np.sum(
        official_frames(positions[:140_000].astype(np.float64), framerate=25) != np.arange(140_000)
    )
    assert early == 9174


def test_positions_outside_the_vectors_wrap_and_clamp() -> None:
    positions = np.array([-5000.0, -10.0, 7_200_000.0, 1e12])
    assert official_frames(positions, framerate=25).tolist() == [179_875, 0, 179_999, 179_999]


def test_exact_ap_is_invariant_to_rescaling_of_confidences() -> None:
    spots = [(100, 0, 1.0), (300, 0, 1.0)]
    close = _timeline(spots, [(100, 0, 0.0030), (300, 0, 0.0029), (500, 0, 0.0028)], 1)
    spread = _timeline(spots, [(100, 0, 0.30), (300, 0, 0.29), (500, 0, 0.28)], 1)
    assert _at(1.0, [close], 1).exact.mean == _at(1.0, [spread], 1).exact.mean == 1.0


def test_a_class_without_spots_counts_as_0() -> None:
    timeline = _timeline([(100, 0, 1)], [(100, 0, 0.9), (100, 1, 0.9)], 2)
    assert _at(1.0, [timeline], 2).overall.mean == 0.5


spot_rows = st.lists(
    st.tuples(st.integers(0, 119), st.integers(0, 1), st.sampled_from([1.0, 1.0, 1.0, -1.0])), max_size=12
)
detection_rows = st.lists(
    st.tuples(
        st.integers(0, 119),
        st.integers(0, 1),
        st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, math.inf, -0.5, math.nan]), st.floats(0, 1)),
    ),
    max_size=25,
)
any_games = st.lists(st.tuples(spot_rows, detection_rows), min_size=1, max_size=3)
seconds = st.sampled_from([[1.0], [2.0], [0.5], [1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 10.0]])


@settings(max_examples=150, deadline=None)
@given(any_games, seconds)
def test_the_metric_equals_a_literal_dense_implementation(
    games: list[tuple[list[Row], list[Row]]], tolerances: list[float]
) -> None:
    timelines = [_timeline(spots, detections, 2) for spots, detections in games]
    result = average_precision(timelines, num_classes=2, framerate=12, tolerances=tolerances)
    dense = _dense(games, length=120, num_classes=2, framerate=12, tolerances=tolerances)
    assert result.overall.mean == dense["overall"]
    assert result.visible.mean == dense["visible"]
    assert result.unshown.mean == dense["unshown"]


@settings(max_examples=50, deadline=None)
@given(any_games, st.randoms(use_true_random=False))
def test_the_order_of_games_does_not_matter(games: list[tuple[list[Row], list[Row]]], random: Any) -> None:
    timelines = [_timeline(spots, detections, 2) for spots, detections in games]
    shuffled = random.sample(timelines, len(timelines))
    assert _at(1.0, timelines, 2).overall.mean == _at(1.0, shuffled, 2).overall.mean


@settings(max_examples=50, deadline=None)
@given(any_games, st.integers(0, 1000))
def test_shifting_spots_and_detections_together_changes_nothing(
    games: list[tuple[list[Row], list[Row]]], seconds_later: int
) -> None:
    later = 25 * seconds_later

    def shifted(entries: list[Row]) -> list[Row]:
        return [(frame + later, column, value) for frame, column, value in entries]

    now = _at(1.0, [_timeline(spots, detections, 2) for spots, detections in games], 2)
    then = _at(1.0, [_timeline(shifted(spots), shifted(detections), 2) for spots, detections in games], 2)
    assert now.overall.mean == then.overall.mean
    assert now.exact.mean == then.exact.mean


@settings(max_examples=50, deadline=None)
@given(any_games)
def test_detections_equal_to_the_spots_score_1_in_every_class_that_occurs(
    games: list[tuple[list[Row], list[Row]]],
) -> None:
    perfect = [_timeline(spots, [(f, c, 0.9) for f, c, _ in spots], 2) for spots, _ in games]
    occurring = {column for spots, _ in games for _, column, _ in spots}
    assert _at(1.0, perfect, 2).overall.mean == len(occurring) / 2


def _timeline(spots: list[Row], detections: list[Row], num_classes: int) -> ScoringTimeline:
    return build_timeline(_entries(spots), _entries(detections), num_classes=num_classes)


def _entries(entries: list[Row]) -> MarkArrays:
    columns = np.array(entries, dtype=np.float64).reshape(-1, 3).T
    return MarkArrays(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].copy())


def _timelines(case: dict[str, Any]) -> list[ScoringTimeline]:
    return [_timeline(game["labels"], game["preds"], case["C"]) for game in case["games"]]


def _score_case(case: dict[str, Any]) -> dict[str, AveragePrecision]:
    timelines = _timelines(case)
    return {
        name: average_precision(timelines, num_classes=case["C"], framerate=case["fps"], tolerances=seconds)
        for name, seconds in TOLERANCES.items()
    }


def _at(
    tolerance: float, timelines: list[ScoringTimeline], num_classes: int, *, framerate: int = 25
) -> AveragePrecision:
    return average_precision(timelines, num_classes=num_classes, framerate=framerate, tolerances=[tolerance])


def _random_match(
    seed: int, counts: tuple[int, ...] | list[int], *, with_clutter: bool
) -> list[ScoringTimeline]:
    """The larger sets whose expected values are in the tests above."""
    random = np.random.default_rng(seed)
    timelines = []
    for _ in range(2):
        spots: list[Row] = []
        detections: list[Row] = []
        for column, count in enumerate(counts):
            frames = random.choice(140_000, count, replace=False)
            keep = random.random(count) < 0.8
            moved = np.clip(frames + np.rint(random.normal(0, 6, count)).astype(int), 0, 179_999)[keep]
            scores = dict(
                zip(moved.tolist(), np.round(random.beta(4, 2, keep.sum()), 6).tolist(), strict=True)
            )
            if with_clutter:
                clutter = random.choice(140_000, count // 2, replace=False)
                of_clutter = np.round(random.beta(2, 4, len(clutter)), 6)
                for frame, score in zip(clutter.tolist(), of_clutter.tolist(), strict=True):
                    scores[frame] = max(scores.get(frame, -1), score)
            spots += [(frame, column, 1.0) for frame in frames.tolist()]
            detections += [(frame, column, score) for frame, score in scores.items()]
        timelines.append(_timeline(spots, detections, len(counts)))
    return timelines


def _dense(
    games: list[tuple[list[Row], list[Row]]],
    *,
    length: int,
    num_classes: int,
    framerate: int,
    tolerances: list[float],
) -> dict[str, float]:
    """The metric written out as its definition reads: dense vectors, loops, no shortcuts."""
    curves: dict[str, list[float]] = {"overall": [], "visible": [], "unshown": []}
    for tolerance in tolerances:
        per_class: dict[str, list[float]] = {side: [] for side in curves}
        for column in range(num_classes):
            found: list[tuple[float, bool, float]] = []
            num_visible = num_unshown = 0
            for spots, detections in games:
                labels, scores = np.zeros(length), np.full(length, -1.0)
                for frame, of, value in spots:
                    labels[frame] = value if of == column else labels[frame]
                for frame, of, value in detections:
                    scores[frame] = value if of == column else scores[frame]
                num_visible += int(np.sum(labels == 1))
                num_unshown += int(np.sum(labels == -1))
                found += _dense_matches(labels, scores, window=tolerance * framerate)
            num_spots = {
                "overall": num_visible + num_unshown,
                "visible": num_visible,
                "unshown": num_unshown,
            }
            wanted = {"overall": (-1, 1), "visible": (1,), "unshown": (-1,)}
            for side in curves:
                of_side = [(score, hit) for score, hit, nearest in found if nearest in wanted[side]]
                per_class[side].append(_dense_area(of_side, num_spots[side]))
        for side, values in curves.items():
            values.append(float(np.mean(per_class[side])))
    if len(tolerances) == 1:
        return {side: values[0] for side, values in curves.items()}
    averages = {}
    for side, values in curves.items():
        integral = 0.0
        for i in range(len(values) - 1):
            integral += (values[i] + values[i + 1]) / 2
        averages[side] = integral / (len(values) - 1)
    averages["unshown"] = averages["unshown"] * 17 / 13
    return averages


def _dense_matches(labels: Any, scores: Any, *, window: float) -> list[tuple[float, bool, float]]:
    annotated = np.flatnonzero(labels).tolist()
    detections = np.flatnonzero(scores >= 0).tolist()
    nearest = np.full(len(labels), -1.0)
    around = [-annotated[0], *annotated, 2 * len(labels)] if annotated else []
    for i in range(1, len(around) - 1):
        start = max(0, (around[i - 1] + around[i]) // 2)
        stop = min(len(labels), (around[i] + around[i + 1]) // 2)
        nearest[start:stop] = labels[around[i]]
    taken: set[int] = set()
    for spot in annotated:
        near = [p for p in detections if p not in taken and abs(p - spot) <= window / 2]
        if near:
            taken.add(max(near, key=lambda p: (scores[p], -p)))
    return [(scores[p], p in taken, nearest[p]) for p in detections]


def _dense_area(found: list[tuple[float, bool]], num_spots: int) -> float:
    points = []
    for threshold in np.linspace(0, 1, 200):
        above = [hit for score, hit in found if score >= threshold]
        precision = sum(above) / len(above) if above else 0.0
        recall = sum(above) / num_spots if num_spots else 0.0
        points.append((precision, recall))
    area = 0.0
    for recall_wanted in np.arange(11) / 10:
        area += max((precision for precision, recall in points if recall >= recall_wanted), default=0.0)
    return area / 11
