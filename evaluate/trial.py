"""One action at a time: what settings of its post-processing are worth, exactly as the whole is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Int64

from bas.clock import positions_of
from bas.config import EventSettings, Knot
from bas.evaluate.peaks import confidences, smooth, split_team
from bas.evaluate.precision import THRESHOLDS, Cells, area, official_frames, taken
from bas.evaluate.score import FRAMERATE
from bas.evaluate.suppression import claims
from bas.evaluate.thresholds import passing
from bas.evaluate.timelines import half_timelines
from bas.evaluate.tolerance import reach_frames
from bas.types import Scores, Spot

_REACH = reach_frames(1.0, framerate=FRAMERATE)  # of the official score


@dataclass(frozen=True, slots=True)
class WatchedHalf:
    """One half of one game as far as one action goes."""

    columns: tuple[Float[np.ndarray, "ticks"], ...]
    """Its dense scores: one column, or one a team."""
    fps: Fraction
    spots: Cells
    """On the official clock."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One action in all games."""

    halves: tuple[WatchedHalf, ...]

    @property
    def num_spots(self) -> int:
        """Annotated, in all."""
        return sum(len(half.spots.frames) for half in self.halves)


@dataclass(frozen=True, slots=True)
class Trial:
    """What an action's settings are worth: AP@1."""

    official: float
    """With the 200 thresholds."""
    exact: float
    """With every confidence as a threshold, so whatever their scale."""
    scores: Float64[np.ndarray, "n"]
    """Of all its detections."""


def watch(
    labels: Mapping[str, Sequence[Spot]], dense: Mapping[str, Mapping[int, Scores]], action: str
) -> Watched:
    """Lay out one action: its spots as they are scored, and its columns of the dense scores."""
    halves = []
    for game, spots in labels.items():
        laid = half_timelines(spots, (), classes=[action], framerate=FRAMERATE).timelines
        for half, one in enumerate(laid, start=1):
            scores = dense[game].get(half)
            if scores is None:
                halves.append(WatchedHalf((), Fraction(FRAMERATE), one.spots[0]))
                continue
            named = zip(scores.classes, scores.values.T, strict=True)
            columns = tuple(np.ascontiguousarray(c) for name, c in named if split_team(name)[0] == action)
            halves.append(WatchedHalf(columns, scores.fps, one.spots[0]))
    return Watched(tuple(halves))


def score_action(watched: Watched, settings: EventSettings, knots: Sequence[Knot] = ()) -> Trial:
    """AP@1 of one action with settings of its own, and confidences spread by `knots`."""
    pairs = [(half.spots, _detected(half, settings, knots)) for half in watched.halves]
    scores = np.concatenate([np.zeros(0), *(cells.values for _, cells in pairs)])
    hits = np.concatenate([np.zeros(0, dtype=bool), *(taken(*pair, reach=_REACH) for pair in pairs)])
    official, exact = (
        area(scores, hits, num_spots=watched.num_spots, thresholds=thresholds)
        for thresholds in (THRESHOLDS, np.unique(scores))
    )
    return Trial(official, exact, scores)


def best_threshold(watched: Watched, settings: EventSettings, knots: Sequence[Knot] = ()) -> float | None:
    """Confidence from which on an action's events have the highest F1; None where they are noise."""
    pairs = [(half.spots, _detected(half, settings, knots)) for half in watched.halves]
    return passing(pairs, reach=_REACH).worth_showing


def _detected(half: WatchedHalf, settings: EventSettings, knots: Sequence[Knot]) -> Cells:
    """Events of one half on the official clock; of two on one of its frames the one that is written last."""
    of_teams = [claims(smooth(column, sigma=settings.sigma), settings) for column in half.columns]
    ticks = np.concatenate([np.zeros(0, np.int64), *(one.ticks for one in of_teams)])
    scores = np.concatenate([np.zeros(0), *(confidences(one.scores, knots) for one in of_teams)])
    order = np.lexsort((scores, ticks))
    frames = _official_clock(max(map(len, half.columns), default=0), half.fps)[ticks[order]]
    last = np.diff(frames, append=-1) != 0
    return Cells(frames[last], scores[order][last])


@lru_cache(maxsize=16)  # videos of one length and clock
def _official_clock(num_ticks: int, fps: Fraction) -> Int64[np.ndarray, "ticks"]:
    """Frame at which the official scorer reads what is written for each tick."""
    positions_ms = positions_of(np.arange(num_ticks), fps).astype(np.float64)
    return official_frames(positions_ms, framerate=FRAMERATE)
