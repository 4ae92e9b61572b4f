"""Post-processing chosen on the validation matches, from dense scores that are there already.

Every choice is judged by the official AP of its class, at one second. A class leaves what is best for all
only where that gains enough on matches that hold enough of it: what is left to chance is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

import numpy as np
from jaxtyping import Float64, Int64

from bas.clock import positions_of
from bas.config import ClassPeaksSettings, PeaksSettings
from bas.evaluate.peaks import Method, calibrate, events_of, smooth, split_team
from bas.evaluate.precision import THRESHOLDS, Cells, area, official_frames, taken
from bas.evaluate.score import FRAMERATE
from bas.evaluate.tolerance import reach_frames
from bas.types import Scores, Spot

_SIGMA_SECONDS = (0.04, 0.08, 0.12, 0.16, 0.24)
# Hard NMS of local maxima keeps what peaks at a distance keeps, so it is not tried.
_DISTANCE_SECONDS = {
    "peaks": (0.12, 0.24, 0.32, 0.48, 0.6, 0.8, 1.2),
    "soft NMS": (0.24, 0.48, 0.96, 1.6),
}
_HEIGHT = 0.002
_ENOUGH = 10
"""Actions of a class from which on it may have values of its own."""
_GAIN = 0.01
"""AP that its own values have to gain."""
_SECONDS = 1.0
_POINTS = 48


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found, and the mAP@1 of its matches on the way."""

    settings: PeaksSettings
    before: float
    shared: float
    """With the best method and values for all classes."""
    own: float
    """With values of their own for some classes."""
    calibrated: float
    """With confidences spread over [0, 1]."""


@dataclass(slots=True)
class _Column:
    """A class on all matches: its dense scores by video, smoothed when first asked for, and its actions."""

    scores: list[Float64[np.ndarray, "frames"]]
    spots: list[Int64[np.ndarray, "spots"]]
    official: list[Int64[np.ndarray, "frames"]]
    """The official clock's frame of each frame, by video."""
    fps: Fraction
    smoothed: dict[float, list[Float64[np.ndarray, "frames"]]] = field(default_factory=dict)

    @property
    def num_spots(self) -> int:
        return sum(len(spots) for spots in self.spots)

    def events(
        self, own: ClassPeaksSettings, method: Method
    ) -> list[tuple[Int64[np.ndarray, "events"], Float64[np.ndarray, "events"]]]:
        """Events of every video, on the official clock; their heights are not calibrated."""
        if own.sigma not in self.smoothed:
            self.smoothed[own.sigma] = [
                smooth(scores[:, None], sigma=own.sigma)[:, 0] for scores in self.scores
            ]
        found = []
        for column, official in zip(self.smoothed[own.sigma], self.official, strict=True):
            frames, heights = events_of(column, own, method=method)
            found.append((official[frames], heights))
        return found

    def precision(self, own: ClassPeaksSettings, method: Method) -> float:
        """Official AP."""
        if not self.num_spots:
            return 0.0
        reach = reach_frames(_SECONDS, framerate=FRAMERATE)
        hits, confidences = [], []
        for spots, (frames, heights) in zip(self.spots, self.events(own, method), strict=True):
            values = calibrate(heights, own.calibration)
            hits.append(taken(Cells(spots, np.ones(len(spots))), Cells(frames, values), reach=reach))
            confidences.append(values)
        return area(
            np.concatenate(confidences),
            np.concatenate(hits),
            num_spots=self.num_spots,
            thresholds=THRESHOLDS,
        )


def search(
    labels: Mapping[str, Sequence[Spot]],
    scores: Mapping[str, Mapping[int, Scores]],
    *,
    start: PeaksSettings,
) -> Tuned:
    """Search method, smoothing, distance and calibration together.

    Args:
        labels: annotations by game.
        scores: dense scores by the same games and half; of two teams each column is one of a class.
        start: what to beat; it is kept where nothing does.
    """
    columns = _columns(labels, scores)
    before = {label: column.precision(start.of(label), start.method) for label, column in columns.items()}
    table = _grid(columns)
    method, shared, best = _best_for_all(table, columns, start=start, before=before)
    own = _own(table, columns, method=method, shared=shared, best=best)
    after = {label: columns[label].precision(own.get(label, shared), method) for label in columns}
    calibrated = {
        label: _calibrated(column, own.get(label, shared), method) for label, column in columns.items()
    }
    per_class = {label: one for label, one in calibrated.items() if one != shared}
    final = {label: columns[label].precision(calibrated[label], method) for label in columns}
    settings = PeaksSettings(
        method=method, sigma=shared.sigma, height=shared.height, distance=shared.distance, per_class=per_class
    )
    return Tuned(settings, _mean(before), _mean(best), _mean(after), _mean(final))


def _columns(
    labels: Mapping[str, Sequence[Spot]], scores: Mapping[str, Mapping[int, Scores]]
) -> dict[str, _Column]:
    """By class; the columns of two teams lie behind each other, each with all actions of the class."""
    columns: dict[str, _Column] = {}
    for game, halves in scores.items():
        for half, one in halves.items():
            official = _official(len(one.values), one.fps)
            merged: dict[str, Float64[np.ndarray, "frames"]] = {}
            for k, name in enumerate(one.classes):
                label, _ = split_team(name)
                values = one.values[:, k].astype(np.float64)
                merged[label] = np.maximum(merged[label], values) if label in merged else values
            for label, values in merged.items():
                column = columns.setdefault(label, _Column([], [], [], one.fps))
                positions = [s.position_ms for s in labels[game] if s.half == half and s.label == label]
                column.scores.append(values)
                column.official.append(official)
                column.spots.append(
                    np.unique(official_frames(np.array(positions, np.float64), framerate=FRAMERATE))
                )
    return columns


def _official(num_frames: int, fps: Fraction) -> Int64[np.ndarray, "frames"]:
    """The official clock's frame of every frame of a video."""
    positions = positions_of(np.arange(num_frames), fps)
    return official_frames(positions.astype(np.float64), framerate=FRAMERATE)


Choice = tuple[Method, ClassPeaksSettings]


def _grid(columns: Mapping[str, _Column]) -> list[tuple[Choice, dict[str, float]]]:
    """AP of every class under every choice."""
    fps = next(iter(columns.values())).fps
    table = []
    for method, distances in _DISTANCE_SECONDS.items():
        for sigma, distance in product(_SIGMA_SECONDS, distances):
            own = ClassPeaksSettings(
                sigma=float(round(sigma * fps, 2)), height=_HEIGHT, distance=max(1, round(distance * fps))
            )
            named: Method = method  # type: ignore[assignment]
            table.append(
                ((named, own), {label: column.precision(own, named) for label, column in columns.items()})
            )
    return table


def _best_for_all(
    table: Sequence[tuple[Choice, dict[str, float]]],
    columns: Mapping[str, _Column],
    *,
    start: PeaksSettings,
    before: dict[str, float],
) -> tuple[Method, ClassPeaksSettings, dict[str, float]]:
    """The choice with the highest mean, the one at hand among equals."""
    kept = ClassPeaksSettings(sigma=start.sigma, height=start.height, distance=start.distance)
    at_hand = {label: column.precision(kept, start.method) for label, column in columns.items()}
    choice, best = max(table, key=lambda row: _mean(row[1]))
    if _mean(at_hand) >= _mean(best):
        return start.method, kept, at_hand
    method, shared = choice
    return method, shared, best


def _own(
    table: Sequence[tuple[Choice, dict[str, float]]],
    columns: Mapping[str, _Column],
    *,
    method: Method,
    shared: ClassPeaksSettings,
    best: Mapping[str, float],
) -> dict[str, ClassPeaksSettings]:
    """Values of their own for the classes that gain enough by them."""
    own = {}
    for label, column in columns.items():
        rows = [(choice, aps[label]) for (of, choice), aps in table if of == method]
        choice, value = max(rows, key=lambda row: row[1])
        if column.num_spots >= _ENOUGH and value >= best[label] + _GAIN:
            own[label] = choice
    return own


def _calibrated(column: _Column, own: ClassPeaksSettings, method: Method) -> ClassPeaksSettings:
    """With the line that gives the highest AP; without any where none beats the heights themselves."""
    heights = np.sort(np.concatenate([heights for _, heights in column.events(own, method)]))
    if column.num_spots < _ENOUGH or len(heights) < _ENOUGH:
        return own
    candidates = [own, *(own.model_copy(update={"calibration": line}) for line in _lines(heights))]
    values = [column.precision(candidate, method) for candidate in candidates]
    return candidates[int(np.argmax(values))]


def _lines(heights: Float64[np.ndarray, "events"]) -> list[tuple[tuple[float, float], ...]]:
    """Rising lines that give the events of these heights confidences spread by their rank.

    Ranks as they are, and ones that give the surest events more of the scale.
    """
    places = np.unique(np.linspace(0, len(heights) - 1, _POINTS).round().astype(int))
    log = np.unique(len(heights) - np.geomspace(1, len(heights), _POINTS).round().astype(int))
    lines = []
    for at in (places, log):
        x, first = np.unique(heights[at], return_index=True)
        share = (at[first] + 1) / len(heights)
        for power in (1.0, 2.0, 4.0):
            lines.append(_points(x, share**power))
        lines.append(_points(x, 1 - np.log1p(len(heights) * (1 - share)) / np.log1p(len(heights))))
    return lines


def _points(
    x: Float64[np.ndarray, "points"], y: Float64[np.ndarray, "points"]
) -> tuple[tuple[float, float], ...]:
    """Below the lowest height, confidences fall to 0."""
    rising = np.maximum.accumulate(y.clip(0, 1))
    rest = tuple((round(float(a), 6), round(float(b), 6)) for a, b in zip(x, rising, strict=True))
    kept = [rest[0]]
    for point in rest[1:]:
        if point[0] > kept[-1][0]:
            kept.append(point)
    return ((0.0, 0.0), *kept) if kept[0][0] > 0 else tuple(kept)


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values())))
