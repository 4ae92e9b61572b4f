"""Post-processing chosen on matches that the model did not learn from, from their dense scores, in seconds.

Every setting of a small grid is tried for every action. A few dozen events of one action tell little, so
an action's own gain counts half and the gain over all actions the other half: without this, choices that
look best on the validation matches lose on others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
from jaxtyping import Float64, Int64

from bas import console
from bas.config import EventSettings, Knot, PeaksSettings
from bas.evaluate.calibration import knots_of
from bas.evaluate.peaks import detections, split_team
from bas.evaluate.score import score_detections
from bas.evaluate.trial import Watched, best_threshold, score_action, watch
from bas.types import Scores, Spot

_SIGMAS_S = 0.04, 0.08, 0.12, 0.16, 0.24  # of the Gaussian
_DISTANCES_S = 0.32, 0.64, 0.96  # the last is T-DEED's
_SUPPRESSIONS = "hard", "linear", "quadratic"
_LOW = 0.01  # T-DEED's threshold
_WORTH = 0.001  # of AP: the least gain for which more events are written
_EQUAL = 1e-9  # of AP: rounding


@dataclass(frozen=True, slots=True)
class ActionGain:
    """AP of one action at the official metric's 200 thresholds: as before, with what was found, and spread."""

    action: str
    num_spots: int
    before: float
    tuned: float
    calibrated: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the search found, and what it is worth on the matches that it was made on."""

    before: PeaksSettings
    after: PeaksSettings
    games: tuple[str, ...]
    rows: tuple[ActionGain, ...]

    @property
    def mean_before(self) -> float:
        """Official mAP@1 with the settings that were there."""
        return float(np.mean([row.before for row in self.rows]))

    @property
    def mean_tuned(self) -> float:
        """Official mAP@1 with the settings that were found, confidences as they come."""
        return float(np.mean([row.tuned for row in self.rows]))

    @property
    def mean_after(self) -> float:
        """Official mAP@1 with all of it: what `bas eval` prints for these matches."""
        return float(np.mean([row.calibrated for row in self.rows]))


def tune(
    labels: Mapping[str, Sequence[Spot]],
    dense: Mapping[str, Mapping[int, Scores]],
    *,
    classes: Sequence[str],
    peaks: PeaksSettings,
) -> Tuning:
    """Choose how events come out of scores, by exact AP@1, then how sure they are said to be.

    Never worse than `peaks` in official mAP@1 on these matches, nor in Team-mAP where scores and labels
    tell teams; equals stay as they are. The threshold of an action is that of highest F1, unless `peaks`
    names one.

    Args:
        labels: annotations by game; of matches that neither train nor test a model.
        dense: scores of the same games, by half.
        classes: the vocabulary, without teams.
        peaks: settings to begin with.
    """
    watched = {action: watch(labels, dense, action) for action in classes}
    current = {action: _plain(peaks.of(action)) for action in classes}
    before = _Found(watched, current, peaks.confidences)
    chosen = _choose(watched, current, fps=_rate(dense))
    if _Found(watched, chosen, {}).total <= _Found(watched, current, {}).total + _EQUAL:
        chosen = current
    after = before
    least = _team_score(labels, dense, before.peaks, classes)
    for settings, spreading in ((chosen, True), (chosen, False), (current, True)):
        found = _Found(watched, settings, _spread(watched, settings) if spreading else {})
        better = found.total > before.total + _EQUAL
        if better and _team_score(labels, dense, found.peaks, classes) >= least - _EQUAL:
            after = found
            break
    return Tuning(
        before=peaks,
        after=after.peaks.model_copy(update={"thresholds": after.thresholds | peaks.thresholds}),
        games=tuple(labels),
        rows=tuple(
            ActionGain(
                action,
                num_spots=watched[action].num_spots,
                before=before.official[action],
                tuned=_official(watched[action], after.settings[action])
                if after is not before
                else before.official[action],
                calibrated=after.official[action],
            )
            for action in classes
        ),
    )


def show(tuning: Tuning) -> None:
    """Print what was found and what it gained, action by action."""
    table = console.table(
        f"post-processing, validation games: {len(tuning.games)}, mAP@1",
        "class",
        "found",
        "ground truths",
        "before",
        "tuned",
        "spread",
        "shown from",
        left=2,
    )
    for row in tuning.rows:
        found = described(tuning.after.of(row.action))
        numbers = (row.before, row.tuned, row.calibrated)
        table.add_row(
            row.action,
            found,
            str(row.num_spots),
            *(f"{100 * ap:.2f}" for ap in numbers),
            f"{tuning.after.threshold(row.action):.2f}",
        )
    means = (tuning.mean_before, tuning.mean_tuned, tuning.mean_after)
    table.add_row(
        "mAP@1", "", str(sum(row.num_spots for row in tuning.rows)), *(f"{100 * mean:.2f}" for mean in means)
    )
    console.show(table)


def described(settings: EventSettings) -> str:
    """`"quadratic from 0.02, 24 ticks, after a Gaussian of 3"`."""
    return (
        f"{settings.method} from {settings.height:g}, {settings.distance} ticks, "
        f"after a Gaussian of {settings.sigma:g}"
    )


def _choose(
    watched: Mapping[str, Watched], current: Mapping[str, EventSettings], *, fps: Fraction
) -> dict[str, EventSettings]:
    """The settings of every action: the best over all of them, or its own where it gains by them."""
    grid = _grid(fps, height=min(settings.height for settings in current.values()))
    gains = np.zeros((1 + len(grid), len(watched)))  # the first: as before
    with console.progress("tuning", len(watched), unit="classes") as advance:
        for column, (action, seen) in enumerate(watched.items()):
            if seen.num_spots:
                tried = [score_action(seen, settings).exact for settings in (current[action], *grid)]
                gains[:, column] = np.array(tried) - tried[0]
            advance(note=action)
    found = {}
    for action, row in zip(watched, _best_rows(gains).tolist(), strict=True):
        found[action] = _lowered(watched[action], grid[row - 1] if row else current[action])
    return found


def _grid(fps: Fraction, *, height: float) -> list[EventSettings]:
    """All that is tried, the plainest first."""
    tried = [("peaks", distance_s) for distance_s in _DISTANCES_S]
    tried += list(product(_SUPPRESSIONS, _DISTANCES_S[1:]))
    return [
        EventSettings.model_validate(
            {
                "method": method,
                "sigma": round(float(sigma_s * fps), 3),
                "height": height,
                "distance": max(1, round(distance_s * fps)),
            }
        )
        for (method, distance_s), sigma_s in product(tried, _SIGMAS_S)
    ]


def _best_rows(gains: Float64[np.ndarray, "tried actions"]) -> Int64[np.ndarray, "actions"]:
    """Row of each action: that of the best mean, unless its own gain and the mean together speak for another."""
    mean = gains.mean(axis=1)
    shared = int(mean.argmax())
    if mean[shared] <= _EQUAL:
        shared = 0
    both = gains + mean[:, None]
    own = both.argmax(axis=0)
    better = both.max(axis=0) > both[shared] + _EQUAL
    return np.where(better, own, shared)


def _lowered(seen: Watched, settings: EventSettings) -> EventSettings:
    """With a lower height, where more events are worth their space."""
    lower = settings.model_copy(update={"height": min(settings.height, _LOW)})
    gain = score_action(seen, lower).exact - score_action(seen, settings).exact
    return lower if gain >= _WORTH else settings


class _Found:
    """Settings and knots of every action, and what they are worth."""

    def __init__(
        self,
        watched: Mapping[str, Watched],
        settings: Mapping[str, EventSettings],
        knots: Mapping[str, tuple[Knot, ...]],
    ) -> None:
        self._watched, self.settings, self._knots = watched, settings, knots
        self.official = {
            action: _official(one, settings[action], knots.get(action, ())) for action, one in watched.items()
        }
        self.total = sum(self.official.values())

    @property
    def peaks(self) -> PeaksSettings:
        """As they are stored, but for the thresholds."""
        return _joined(self.settings).model_copy(update={"confidences": dict(self._knots)})

    @property
    def thresholds(self) -> dict[str, float]:
        """Confidence of highest F1 of each action that can tell."""
        best = {
            action: best_threshold(one, self.settings[action], self._knots.get(action, ()))
            for action, one in self._watched.items()
        }
        return {action: _floor(least) for action, least in best.items() if least is not None}


def _spread(
    watched: Mapping[str, Watched], settings: Mapping[str, EventSettings]
) -> dict[str, tuple[Knot, ...]]:
    """Knots of the actions whose official AP rises by them."""
    knots = {action: knots_of(score_action(one, settings[action]).scores) for action, one in watched.items()}
    return {
        action: knots[action]
        for action, one in watched.items()
        if _official(one, settings[action], knots[action]) > _official(one, settings[action]) + _EQUAL
    }


def _team_score(
    labels: Mapping[str, Sequence[Spot]],
    dense: Mapping[str, Mapping[int, Scores]],
    peaks: PeaksSettings,
    classes: Sequence[str],
) -> float:
    """Team-mAP of the actions that occur; 0 where scores or labels tell no teams."""
    names = next(scores.classes for halves in dense.values() for scores in halves.values())
    if all(split_team(name)[1] is None for name in names):
        return 0.0
    found = {
        game: {half: detections(scores, peaks) for half, scores in halves.items()}
        for game, halves in dense.items()
    }
    teams = score_detections(labels, found, classes=classes, fps=_rate(dense)).teams
    return teams.mean_ap_defined if teams else 0.0


def _official(seen: Watched, settings: EventSettings, knots: Sequence[Knot] = ()) -> float:
    return score_action(seen, settings, knots).official


def _floor(confidence: float) -> float:
    """A little lower, so that the event that it was found at passes however its confidence is written."""
    return math.floor(confidence * 1e6) / 1e6


def _joined(chosen: Mapping[str, EventSettings]) -> PeaksSettings:
    """What most actions share stands for all, the others by name."""
    settings = list(chosen.values())
    common = max(settings, key=settings.count)
    own = {action: one for action, one in chosen.items() if one != common}
    return PeaksSettings(**common.model_dump(), classes=own)


def _plain(settings: EventSettings) -> EventSettings:
    return EventSettings(**settings.model_dump(include=set(EventSettings.model_fields)))


def _rate(dense: Mapping[str, Mapping[int, Scores]]) -> Fraction:
    return next(scores.fps for halves in dense.values() for scores in halves.values())
