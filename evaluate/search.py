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

    The threshold of each action is that of highest F1. Never worse than `peaks` in official mAP@1 on these matches; equals stay as they are.

    Args:
        labels: annotations by game; of matches that neither train nor test a model.
        dense: scores of the same games, by half.
        classes: the vocabulary, without teams.
        peaks: settings to begin with.
    """
    peaks = peaks.model_copy(update={"confidences": {}, "thresholds": {}})
    watched = {action: watch(labels, dense, action) for action in classes}
    current = {action: _plain(peaks.of(action)) for action in classes}
    chosen = _choose(watched, current, fps=_rate(dense))
    official = {action: _official(watched[action], current[action]) for action in classes}
    tuned = {action: _official(watched[action], chosen[action]) for action in classes}
    if sum(tuned.values()) <= sum(official.values()) + _EQUAL:
        chosen, tuned = current, official
    knots = {action: knots_of(score_action(watched[action], chosen[action]).scores) for action in classes}
    spread = {action: _official(watched[action], chosen[action], knots[action]) for action in classes}
    taken = {action: knots[action] for action in classes if spread[action] > tuned[action] + _EQUAL}
    best = {
        action: best_threshold(watched[action], chosen[action], taken.get(action, ())) for action in classes
    }
    return Tuning(
        before=peaks,
        after=(peaks if chosen == current else _joined(chosen)).model_copy(
            update={
                "confidences": taken,
                "thresholds": {action: _floor(least) for action, least in best.items() if least is not None},
            }
        ),
        games=tuple(labels),
        rows=tuple(
            ActionGain(
                action,
                num_spots=watched[action].num_spots,
                before=official[action],
                tuned=tuned[action],
                calibrated=spread[action] if action in taken else tuned[action],
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
