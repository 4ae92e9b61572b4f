"""SoccerNet's own evaluator gives our score for the files we write: all editions, teams, and any match."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from SoccerNet.Evaluation.ActionSpotting import average_mAP
from SoccerNet.Evaluation.ActionSpotting import evaluate as official
from SoccerNet.utils import getListGames
from support.matches import annotation, write_labels

from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.evaluate.formats.soccernet import read_results, read_scored_labels, results_document
from bas.evaluate.scoring.score import Evaluation, score, score_detections, score_documents
from bas.files import write_json
from bas.types import Detection, Prediction, Spot

_FPS = Fraction(25)
_FRAMES = 4 * 60 * 25
_GAMES = tuple(getListGames("test", dataset="Ball"))
_COLUMNS = ("PASS-left", "PASS-right", "SHOT-left", "SHOT-right")


@dataclass(frozen=True, slots=True)
class Edition:
    """Properties of one release of the labels."""

    classes: tuple[str, ...]
    halves: tuple[int, ...]
    teams: tuple[str, ...]
    label_file: str = "Labels-ball.json"


EDITIONS = {
    "2023": Edition(BALL_CLASSES_2023, (1, 2), ("home", "away")),
    "2024": Edition(BALL_CLASSES, (1,), ("home", "away")),
    "2025": Edition(BALL_CLASSES, (1,), ("left", "right")),
    "SoccerNet-v2": Edition(
        SOCCERNET_V2_CLASSES, (1, 2), ("home", "away", "not applicable"), "Labels-v2.json"
    ),
}


@pytest.mark.parametrize(("name", "metric"), [*((name, "at1") for name in EDITIONS), ("2025", "tight")])
def test_the_files_that_bas_writes_score_the_same_in_the_official_evaluator(
    tmp_path: Path, name: str, metric: str
) -> None:
    edition = EDITIONS[name]
    labels, results = tmp_path / "labels", tmp_path / "results"
    found = _write_edition(edition, labels, results, seed=len(name))
    theirs = official(
        str(labels),
        str(results),
        framerate=2 if name == "SoccerNet-v2" else 25,
        metric=metric,
        label_files=edition.label_file,
        dataset="Ball" if edition.label_file == "Labels-ball.json" else None,
        EVENT_DICTIONARY={label: index for index, label in enumerate(edition.classes)},
    )
    on_disk = score(labels, results, tolerance=metric)
    in_memory = score_detections(
        read_scored_labels(labels), found, classes=edition.classes, fps=_FPS, tolerance=metric
    )
    assert on_disk.class_names == edition.classes
    assert 0.1 < on_disk.mean_ap < 0.9
    for ours in (on_disk, in_memory):
        assert ours.mean_ap == theirs["a_mAP"]
        assert [row.ap for row in ours.classes] == list(theirs["a_mAP_per_class"])
        assert ours.mean_ap_visible == theirs["a_mAP_visible"]
        assert [row.ap_visible for row in ours.classes] == list(theirs["a_mAP_per_class_visible"])
    assert (on_disk.teams is not None) == (name == "2025")


@pytest.mark.parametrize("seconds", [(1,), (1, 2)])
def test_the_team_score_of_written_files_equals_that_of_the_official_curves(
    tmp_path: Path, seconds: tuple[int, ...]
) -> None:
    labels, results = tmp_path / "labels", tmp_path / "results"
    _write_edition(EDITIONS["2025"], labels, results, seed=3)
    ours = score(labels, results, tolerance=list(seconds)).teams
    assert ours is not None
    columns = [f"{action}-{team}" for action in BALL_CLASSES for team in ("left", "right")]
    games = read_scored_labels(labels)
    theirs = _official_teams(games, read_results(results), columns, rows=_FRAMES + 100, seconds=seconds)
    assert [row.ap for row in ours.actions] == pytest.approx(theirs, rel=0, abs=1e-15)
    assert ours.mean_ap == pytest.approx(np.mean(theirs), rel=0, abs=1e-15)


_ms = st.integers(0, 20_000)
_any_team = st.sampled_from(("left", "right"))
_any_label = st.sampled_from(("PASS", "SHOT"))
_any_spots = st.lists(
    st.builds(
        Spot, position_ms=_ms, label=_any_label, team=_any_team, visible=st.sampled_from((True, True, False))
    ),
    min_size=1,
    max_size=12,
)
_any_predictions = st.lists(
    st.builds(
        Prediction,
        position_ms=_ms,
        half=st.just(1),
        label=_any_label,
        confidence=st.one_of(st.floats(0, 1), st.sampled_from((0.0, 0.5, 1.0, 1.5, -0.5, float("nan")))),
        team=_any_team,
    ),
    min_size=1,
    max_size=20,
)
_any_games = st.lists(st.tuples(_any_spots, _any_predictions), min_size=1, max_size=2)
_any_seconds = st.sampled_from([(1,), (2,), (1, 2, 3), (5, 10)])


@given(_any_games, _any_seconds)
@settings(max_examples=15, deadline=None)
def test_any_match_scores_the_same_in_the_official_evaluator(
    games: list[tuple[list[Spot], list[Prediction]]], seconds: tuple[int, ...]
) -> None:
    ours, rows, labels, predictions = _score(games, seconds)
    theirs = _official(labels, predictions, ("PASS", "SHOT"), rows=rows, seconds=seconds, team=False)
    assert [row.ap for row in ours.classes] == theirs


@given(_any_games, _any_seconds)
@settings(max_examples=15, deadline=None)
def test_any_match_of_two_teams_scores_the_same_as_the_official_curves(
    games: list[tuple[list[Spot], list[Prediction]]], seconds: tuple[int, ...]
) -> None:
    ours, rows, labels, predictions = _score(games, seconds)
    assert ours.teams is not None
    theirs = _official_teams(labels, predictions, _COLUMNS, rows=rows, seconds=seconds)
    np.testing.assert_allclose([row.ap for row in ours.teams.actions], theirs, rtol=0, atol=1e-15)


def _score(
    games: list[tuple[list[Spot], list[Prediction]]], seconds: tuple[int, ...]
) -> tuple[Evaluation, int, dict[str, list[Spot]], dict[str, list[Prediction]]]:
    labels = {str(index): spots for index, (spots, _) in enumerate(games)}
    predictions = {str(index): detected for index, (_, detected) in enumerate(games)}
    return (
        score_documents(labels, predictions, classes=("PASS", "SHOT"), tolerance=list(seconds)),
        21 * 25,
        labels,
        predictions,
    )


def _official_teams(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    columns: Sequence[str],
    *,
    rows: int,
    seconds: tuple[int, ...],
) -> list[float]:
    """Team-mAP by its definition: the official AP of every action and team, weighted by the label values."""
    per_column = np.array(_official(labels, predictions, columns, rows=rows, seconds=seconds, team=True))
    weights = np.array(
        [
            sum(_vector(spots, [column], rows=rows, team=True).sum() for spots in labels.values())
            for column in columns
        ]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        both = per_column * weights
        averages: list[float] = ((both[0::2] + both[1::2]) / (weights[0::2] + weights[1::2])).tolist()
    return averages


def _official(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    columns: Sequence[str],
    *,
    rows: int,
    seconds: tuple[int, ...],
    team: bool,
) -> list[float]:
    """AP by column from SoccerNet's `average_mAP`, on dense vectors built here."""
    targets = [_vector(spots, columns, rows=rows, team=team) for spots in labels.values()]
    detected = [_vector(predictions[game], columns, rows=rows, team=team) for game in labels]
    nearest = [
        np.ones_like(target) for target in targets
    ]  # only for visible and unshown AP, not compared here
    result = average_mAP(targets, detected, nearest, 25, deltas=np.array(seconds))
    return [float(value) for value in result[1]]


def _vector(
    marks: Sequence[Spot] | Sequence[Prediction], columns: Sequence[str], *, rows: int, team: bool
) -> Any:
    spots = all(isinstance(mark, Spot) for mark in marks)
    vector = np.full((rows, len(columns)), 0.0 if spots else -1.0)
    for mark in marks:
        name = f"{mark.label}-{mark.team}" if team else mark.label
        if name in columns:
            value = mark.confidence if isinstance(mark, Prediction) else 1.0 if mark.visible else -1.0
            vector[int(25 * (mark.position_ms / 1000)), columns.index(name)] = value
    return vector


def _write_edition(
    edition: Edition, labels: Path, results: Path, *, seed: int
) -> dict[str, dict[int, list[Detection]]]:
    """Write labels of an edition, and results by our writer: most actions detected, some early, late or twice."""
    rng = random.Random(seed)
    found: dict[str, dict[int, list[Detection]]] = {}
    for game in _GAMES:
        annotations, found[game] = [], {}
        for half in edition.halves:
            frames = rng.sample(range(0, _FRAMES, 3), 60)
            detected = []
            for number, frame in enumerate(frames):
                label, team = edition.classes[number % len(edition.classes)], rng.choice(edition.teams)
                visible = edition.label_file == "Labels-ball.json" or rng.random() < 0.8
                annotations.append(
                    annotation(
                        40 * frame,
                        label,
                        half=half,
                        team=team,
                        visibility="visible" if visible else "not shown",
                    )
                )
                detected_team = rng.choice(edition.teams) if edition.teams == ("left", "right") else None
                near = min(max(frame + rng.randrange(-18, 19), 0), _FRAMES)
                for position in (near, rng.randrange(_FRAMES)):
                    detected.append(Detection(position, label, rng.random(), detected_team))
            found[game][half] = detected
        write_labels(labels / game / edition.label_file, annotations)
        document = results_document(game, found[game], classes=edition.classes, fps=_FPS)
        write_json(results / game / "results_spotting.json", document)
    return found
