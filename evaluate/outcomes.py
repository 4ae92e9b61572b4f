"""What became of every action and every claim: found, confused, missed, or invented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Int64

from bas.evaluate.precision import official_frames
from bas.evaluate.soccernet import Prediction
from bas.evaluate.timelines import HALVES
from bas.types import Spot

Kind = Literal["found", "confused", "missed", "false alarm"]

Mark = TypeVar("Mark", Spot, Prediction)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One action with the claim that it was given, an action without any, or a claim without an action."""

    game: str
    half: int
    spot: Spot | None
    claim: Prediction | None

    @property
    def kind(self) -> Kind:
        """What became of it."""
        if self.spot is None:
            return "false alarm"
        if self.claim is None:
            return "missed"
        return "found" if self.spot.label == self.claim.label else "confused"

    @property
    def position_ms(self) -> int:
        """Where to look: at the action, and where there is none at the claim."""
        one = self.spot or self.claim
        assert one is not None
        return one.position_ms

    @property
    def offset_ms(self) -> int:
        """How much later than the action the claim is; 0 where one of them lacks."""
        if self.spot is None or self.claim is None:
            return 0
        return self.claim.position_ms - self.spot.position_ms


def outcomes(
    labels: Mapping[str, Sequence[Spot]],
    predictions: Mapping[str, Sequence[Prediction]],
    *,
    thresholds: Mapping[str, float],
    reach: int,
    framerate: int,
) -> list[Outcome]:
    """Match the claims that pass their class's threshold, one to one, within each half of a game.

    First as the official evaluator does, class by class: each action in time takes the surest free
    claim in reach, the earliest of equals. Then each action that is left, in time too, takes the
    nearest free claim of another class in reach, the earlier of equals: that is a confusion. Teams
    are not looked at. An action that is still left is missed, a claim that is left a false alarm.

    What the official evaluator ignores has no outcome: other classes and halves, and marks that a
    later one of their class replaces on its frame. So the found are the hits of the official score.

    Args:
        labels: annotations by game.
        predictions: by the same games.
        thresholds: least confidence of a claim, by class; its keys are the vocabulary.
        reach: frames that a claim may lie away, to either side.
        framerate: of the official clock.
    """
    found: list[Outcome] = []
    for game, spots in labels.items():
        for half in HALVES:
            actions = _scored((s for s in spots if s.half == half and s.label in thresholds), framerate)
            claimed = (p for p in predictions[game] if p.half == half and p.label in thresholds)
            claims = [p for p in _scored(claimed, framerate) if p.confidence >= thresholds[p.label]]
            partners = _partners(actions, claims, reach=reach, framerate=framerate)
            found += [
                Outcome(game, half, spot, None if partner is None else claims[partner])
                for spot, partner in zip(actions, partners, strict=True)
            ]
            free = set(range(len(claims))) - {partner for partner in partners if partner is not None}
            found += [Outcome(game, half, None, claims[index]) for index in sorted(free)]
    return found


def _scored(marks: Iterable[Mark], framerate: int) -> list[Mark]:
    """The last mark of each class on each frame, by frame."""
    given = list(marks)
    frames = _frames(given, framerate=framerate).tolist()
    last = {(frame, mark.label): mark for frame, mark in zip(frames, given, strict=True)}
    return [last[cell] for cell in sorted(last)]


def _partners(
    actions: Sequence[Spot], claims: Sequence[Prediction], *, reach: int, framerate: int
) -> list[int | None]:
    """Of each action, the number of its claim."""
    at = _frames(actions, framerate=framerate)
    frames = _frames(claims, framerate=framerate)
    names = np.array([claim.label for claim in claims], dtype=object)
    confidence = np.array([claim.confidence for claim in claims], dtype=np.float64)
    free = np.ones(len(claims), bool)
    partners: list[int | None] = [None] * len(actions)
    starts = np.searchsorted(frames, at - reach)
    stops = np.searchsorted(frames, at + reach, side="right")
    for same in (True, False):
        for number, spot in enumerate(actions):
            if partners[number] is not None:
                continue
            near = np.arange(starts[number], stops[number])
            near = near[free[near] & ((names[near] == spot.label) == same)]
            if len(near):
                best = confidence[near] if same else -np.abs(frames[near] - at[number])
                partners[number] = int(near[np.argmax(best)])
                free[partners[number]] = False
    return partners


def _frames(marks: Sequence[Spot] | Sequence[Prediction], *, framerate: int) -> Int64[np.ndarray, "n"]:
    positions = np.array([mark.position_ms for mark in marks], dtype=np.float64)
    return official_frames(positions, framerate=framerate)
