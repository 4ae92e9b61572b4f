"""Grid search of post-processing on held-out games, from their dense scores, in seconds.

Every setting of a small grid is tried for every action. A few dozen spots of one action are weak
evidence. So half the criterion is the action's own gain, and half the gain averaged over all actions.
Without this, the settings that look best on the validation games do worse on others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from bas import console
from bas.config import CalibrationPoint, DetectionSettings, PostprocessSettings
from bas.evaluate.postprocess.calibration import calibration_points
from bas.evaluate.postprocess.detections import detect_games
from bas.evaluate.postprocess.objective import (
    AP_EPSILON,
    ActionScores,
    action_ap,
    action_scores,
    display_threshold,
)
from bas.evaluate.scoring.score import official_framerate, score_detections
from bas.messages import counted
from bas.types import DenseScores, Spot
from bas.vocabulary import split_team

_SIGMAS_S = 0.04, 0.08, 0.12, 0.16, 0.24  # of the Gaussian
_DISTANCES_S = 0.32, 0.64, 0.96  # the last is T-DEED's
_SUPPRESSIONS: tuple[Literal["hard", "linear", "quadratic"], ...] = ("hard", "linear", "quadratic")
_LOW_MIN_SCORE = 0.01  # T-DEED's threshold
_MIN_GAIN = 0.001  # of AP; a smaller gain does not justify writing more detections


@dataclass(frozen=True, slots=True)
class ActionGain:
    """AP of one action at the 200 official thresholds: before, with tuned settings, and calibrated as well."""

    action: str
    num_spots: int
    before: float
    tuned: float
    calibrated: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings found by the search, and their scores on the games that it used."""

    before: PostprocessSettings
    after: PostprocessSettings
    games: tuple[str, ...]
    actions: tuple[ActionGain, ...]

    @property
    def mean_before(self) -> float:
        """Official mAP@1 with the initial settings."""
        return float(np.mean([action.before for action in self.actions]))

    @property
    def mean_tuned(self) -> float:
        """Official mAP@1 with the tuned settings, without calibration."""
        return float(np.mean([action.tuned for action in self.actions]))

    @property
    def mean_after(self) -> float:
        """Official mAP@1 with tuned settings and calibration, as `bas eval` prints it for these games."""
        return float(np.mean([action.calibrated for action in self.actions]))


def tune(
    labels: Mapping[str, Sequence[Spot]],
    dense: DenseScores,
    *,
    classes: Sequence[str],
    postprocess: PostprocessSettings,
) -> Tuning:
    """Choose the post-processing of every action by exact AP@1, then calibrate its confidences.

    The result is never worse than the initial settings on these games in official mAP@1, nor in Team-mAP if
    scores and labels name teams. On ties the initial settings stay. The display threshold of an
    action is that of maximum F1, unless the initial settings set one.

    Args:
        labels: annotations by game, of games on which no model is trained or tested.
        dense: dense scores of the same games, by half.
        classes: the vocabulary, without teams.
        postprocess: initial settings.
    """
    framerate = official_framerate(classes)
    actions = {action: action_scores(labels, dense, action, framerate=framerate) for action in classes}
    current = {action: _without_classes(postprocess.for_action(action)) for action in classes}
    before = _Candidate(actions, current, postprocess.confidences)
    chosen = _choose_settings(actions, current, fps=_fps(dense))
    if _Candidate(actions, chosen, {}).total <= _Candidate(actions, current, {}).total + AP_EPSILON:
        chosen = current
    after = before
    min_team_map = _team_map(labels, dense, before.postprocess, classes)
    # From the largest change to the smallest: take the first that improves mAP and does not lower Team-mAP.
    for settings, calibrated in ((chosen, True), (chosen, False), (current, True)):
        candidate = _Candidate(actions, settings, _calibrations(actions, settings) if calibrated else {})
        better = candidate.total > before.total + AP_EPSILON
        if better and _team_map(labels, dense, candidate.postprocess, classes) >= min_team_map - AP_EPSILON:
            after = candidate
            break
    return Tuning(
        before=postprocess,
        after=after.postprocess.model_copy(update={"thresholds": after.thresholds | postprocess.thresholds}),
        games=tuple(labels),
        actions=tuple(
            ActionGain(
                action,
                num_spots=actions[action].num_spots,
                before=before.official[action],
                # The initial settings may bring a calibration of their own, so they are not scored without it.
                tuned=before.official[action]
                if after is before
                else _official_ap(actions[action], after.settings[action]),
                calibrated=after.official[action],
            )
            for action in classes
        ),
    )


def show_tuning(tuning: Tuning) -> None:
    """Print the settings found and their gain, by action."""
    title = f"post-processing, {counted(len(tuning.games), 'validation match')}, mAP@1"
    columns = "class", "method", "spots", "before", "tuned", "calibrated", "display threshold"
    table = console.table(title, *columns, left=2)
    for gain in tuning.actions:
        method = describe_settings(tuning.after.for_action(gain.action))
        percent = [f"{100 * ap:.2f}" for ap in (gain.before, gain.tuned, gain.calibrated)]
        threshold = f"{tuning.after.threshold(gain.action):.2f}"
        table.add_row(gain.action, method, str(gain.num_spots), *percent, threshold)
    percent = [f"{100 * mean:.2f}" for mean in (tuning.mean_before, tuning.mean_tuned, tuning.mean_after)]
    table.add_row("mAP@1", "", str(sum(gain.num_spots for gain in tuning.actions)), *percent)
    console.show(table)


def describe_settings(settings: DetectionSettings) -> str:
    """Settings in one line: `"quadratic NMS, min score 0.02, radius 24 frames, sigma 3"`."""
    method, distance = f"{settings.method} NMS", "radius"
    if settings.method == "peaks":
        method, distance = "local maxima", "min distance"
    frames = f"{distance} {settings.min_distance} frames"
    return f"{method}, min score {settings.min_score:g}, {frames}, sigma {settings.sigma:g}"


def _choose_settings(
    actions: Mapping[str, ActionScores], current: Mapping[str, DetectionSettings], *, fps: Fraction
) -> dict[str, DetectionSettings]:
    """Settings of every action: the best shared ones, or its own where these gain more."""
    grid = _grid(fps, min_score=min(settings.min_score for settings in current.values()))
    # One row per setting, the first the current one; one column per action. An action without spots gains nothing.
    gains = np.zeros((1 + len(grid), len(actions)))
    with console.progress("tuning", len(actions), unit="classes") as advance:
        for column, (action, scores) in enumerate(actions.items()):
            if scores.num_spots:
                tried = [action_ap(scores, settings).exact for settings in (current[action], *grid)]
                gains[:, column] = np.array(tried) - tried[0]
            advance(note=action)
    chosen = {}
    for action, row in zip(actions, _best_rows(gains).tolist(), strict=True):
        chosen[action] = _with_low_min_score(actions[action], grid[row - 1] if row else current[action])
    return chosen


def _grid(fps: Fraction, *, min_score: float) -> list[DetectionSettings]:
    """All settings to try, the simplest first."""
    tried = [*product(("peaks",), _DISTANCES_S), *product(_SUPPRESSIONS, _DISTANCES_S[1:])]
    return [
        DetectionSettings(
            method=method,
            sigma=round(float(sigma_s * fps), 3),
            min_score=min_score,
            min_distance=max(1, round(distance_s * fps)),
        )
        for (method, distance_s), sigma_s in product(tried, _SIGMAS_S)
    ]


def _best_rows(gains: Float64[np.ndarray, "settings actions"]) -> Int64[np.ndarray, "actions"]:
    """Row of every action: that of the best mean gain, unless own plus mean gain is higher in another."""
    mean = gains.mean(axis=1)
    shared = int(mean.argmax()) if mean.max() > AP_EPSILON else 0
    both = (
        gains + mean[:, None]
    )  # half an action's own gain, half that of all; the factor 1/2 does not matter
    own = both.argmax(axis=0)
    better = both.max(axis=0) > both[shared] + AP_EPSILON
    return np.where(better, own, shared)


def _with_low_min_score(action: ActionScores, settings: DetectionSettings) -> DetectionSettings:
    """Settings with a lower minimum score, if the AP gained is worth the additional detections."""
    lower = settings.model_copy(update={"min_score": min(settings.min_score, _LOW_MIN_SCORE)})
    gain = action_ap(action, lower).exact - action_ap(action, settings).exact
    return lower if gain >= _MIN_GAIN else settings


class _Candidate:
    """Settings and calibration of every action, with their official AP."""

    def __init__(
        self,
        actions: Mapping[str, ActionScores],
        settings: Mapping[str, DetectionSettings],
        points: Mapping[str, tuple[CalibrationPoint, ...]],
    ) -> None:
        self._actions, self.settings, self._points = actions, settings, points
        self.official = {
            action: _official_ap(scores, settings[action], points.get(action, ()))
            for action, scores in actions.items()
        }
        self.total = sum(self.official.values())

    @property
    def postprocess(self) -> PostprocessSettings:
        """As stored, except for the thresholds: the settings shared by most actions, and exceptions by class."""
        settings = list(self.settings.values())
        common = max(settings, key=settings.count)
        own = {action: one for action, one in self.settings.items() if one != common}
        return PostprocessSettings(**common.model_dump(), classes=own, confidences=dict(self._points))

    @property
    def thresholds(self) -> dict[str, float]:
        """Display threshold of every action that has one."""
        best = {
            action: display_threshold(scores, self.settings[action], self._points.get(action, ()))
            for action, scores in self._actions.items()
        }
        # Rounded down, so that the detection it was found at still passes once its confidence is rounded.
        return {action: math.floor(one * 1e6) / 1e6 for action, one in best.items() if one is not None}


def _calibrations(
    actions: Mapping[str, ActionScores], settings: Mapping[str, DetectionSettings]
) -> dict[str, tuple[CalibrationPoint, ...]]:
    """Calibration points of the actions whose official AP they improve."""
    points = {
        action: calibration_points(action_ap(scores, settings[action]).scores)
        for action, scores in actions.items()
    }
    return {
        action: points[action]
        for action, scores in actions.items()
        if _official_ap(scores, settings[action], points[action])
        > _official_ap(scores, settings[action]) + AP_EPSILON
    }


def _team_map(
    labels: Mapping[str, Sequence[Spot]],
    dense: DenseScores,
    postprocess: PostprocessSettings,
    classes: Sequence[str],
) -> float:
    """Team-mAP over the actions that occur; 0 if scores or labels name no teams."""
    names = next(scores.classes for halves in dense.values() for scores in halves.values())
    if all(split_team(name)[1] is None for name in names):
        return 0.0
    teams = score_detections(labels, detect_games(dense, postprocess), classes=classes, fps=_fps(dense)).teams
    return teams.mean_ap_defined if teams else 0.0


def _official_ap(
    action: ActionScores, settings: DetectionSettings, points: Sequence[CalibrationPoint] = ()
) -> float:
    return action_ap(action, settings, points).official


def _without_classes(settings: DetectionSettings) -> DetectionSettings:
    """Plain settings of one class, also from `PostprocessSettings`, which carry more fields."""
    return DetectionSettings(**settings.model_dump(include=set(DetectionSettings.model_fields)))


def _fps(dense: DenseScores) -> Fraction:
    return next(scores.fps for halves in dense.values() for scores in halves.values())
